// SPDX-License-Identifier: Apache-2.0
//! The certificate of the node protocol's server: short-lived, made in memory, replaced long before its end.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_service::tls::Identity;

use super::certificate::{SERVER_CERTIFICATE_LIFE, Validity, server};
use super::key::CertificateKey;
use super::{CaError, CertificateAuthority};

/// How often it is looked whether a new one is due.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// A new one is made when so much is left of the old one.
const RENEW_WHEN_LEFT: Duration = Duration::from_secs(24 * 3_600);

/// Makes the certificates, and holds the current one.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    ca: CertificateAuthority,
    names: Vec<String>,
    identity: Identity,
    /// The authorities in the chain of the current one.
    chain: Mutex<Vec<Vec<u8>>>,
}

impl ServerCertificate {
    /// With a first certificate for these DNS names and IP addresses.
    ///
    /// # Errors
    /// [`CaError`]
    pub(crate) fn new(ca: CertificateAuthority, names: Vec<String>) -> Result<Self, CaError> {
        let certificate = Self { ca, names, identity: Identity::none(), chain: Mutex::default() };
        certificate.renew()?;
        Ok(certificate)
    }

    /// With what the server proves itself; new connections always take the current certificate.
    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Renews it in time, until `cancel` resolves.
    pub(crate) async fn run(self, cancel: impl Future<Output = ()> + Send) {
        let renew = async {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                if let Err(error) = self.renew_if_due() {
                    tracing::warn!(%error, "the node protocol's certificate is not renewed; trying again");
                }
            }
        };
        tokio::select! {
            () = renew => {}
            () = cancel => {}
        }
    }

    /// Makes a new one if it is time.
    ///
    /// # Errors
    /// [`CaError`]; the old one stays.
    pub(super) fn renew_if_due(&self) -> Result<(), CaError> {
        let enough = self.ca.0.clock.now() + RENEW_WHEN_LEFT;
        let has_time = self.identity.not_after().is_some_and(|not_after| not_after > enough);
        if has_time && *self.chain() == self.ca.server_chain()? { Ok(()) } else { self.renew() }
    }

    /// Authorities stand in the chain, so that a node that knows the fingerprint of one alone can verify it.
    fn renew(&self) -> Result<(), CaError> {
        let ca = &self.ca.0;
        let (authority, authorities) = (self.ca.signing()?, self.ca.server_chain()?);
        let validity = Validity::new(ca.clock.now(), SERVER_CERTIFICATE_LIFE, authority.not_after);
        let key = CertificateKey::generate()?;
        let certificate = authority.sign(&server(&self.names, validity, ca.random.as_ref())?, &key)?;
        let chain: Vec<_> = std::iter::once(certificate).chain(authorities.iter().cloned()).collect();
        self.identity.replace(&chain, &key.to_pkcs8()?, ca.clock.as_ref())?;
        *self.chain() = authorities;
        tracing::debug!(not_after = %validity.not_after(), "made a certificate for the node protocol");
        Ok(())
    }

    fn chain(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
