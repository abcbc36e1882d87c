// SPDX-License-Identifier: Apache-2.0
//! A certificate chain with its key: checked when it comes, replaced while connections go on.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use cress_domain::{Clock, Secret, Timestamp};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{TlsError, provider};

/// With what this end proves itself. Clones are the same identity; new connections take the newest certificate.
#[derive(Clone, Default)]
pub struct Identity(Arc<ArcSwapOption<Current>>);

struct Current {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl Identity {
    /// One that has no certificate yet: a client then offers none, a server accepts nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// From a chain in DER, its own certificate first, and a key in PKCS#8.
    ///
    /// # Errors
    /// [`TlsError`]: not a chain or key, not a pair, expired or not yet valid.
    pub fn from_der(chain: &[Vec<u8>], pkcs8: &Secret<Vec<u8>>, clock: &dyn Clock) -> Result<Self, TlsError> {
        let identity = Self::none();
        identity.replace(chain, pkcs8, clock)?;
        Ok(identity)
    }

    /// From then on, this chain and key. On an error the old ones stay.
    ///
    /// # Errors
    /// Like [`Identity::from_der`].
    pub fn replace(&self, chain: &[Vec<u8>], pkcs8: &Secret<Vec<u8>>, clock: &dyn Clock) -> Result<(), TlsError> {
        let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.clone())).collect();
        self.store(chain, PrivatePkcs8KeyDer::from(pkcs8.expose().clone()).into(), Some(clock))
    }

    /// From then on, this chain and key in PEM. On an error the old ones stay.
    ///
    /// # Errors
    /// Like [`Identity::from_der`].
    pub fn replace_pem(&self, chain: &[u8], key: &Secret<Vec<u8>>, clock: &dyn Clock) -> Result<(), TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| TlsError::NoKey)?;
        self.store(chain, key, Some(clock))
    }

    /// The same, whatever the time: for a client whose clock may be wrong. Whether its certificate is still good is the server's to say.
    ///
    /// # Errors
    /// Like [`Identity::from_der`], but for expired and not yet valid.
    pub fn replace_pem_at_any_time(&self, chain: &[u8], key: &Secret<Vec<u8>>) -> Result<(), TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| TlsError::NoKey)?;
        self.store(chain, key, None)
    }

    /// When its certificate expires; nothing while it has none.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        self.0.load().as_ref().map(|current| current.not_after)
    }

    /// Its certificate chain in DER; empty while it has none.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.load().as_ref().map_or_else(Vec::new, |current| current.key.cert.clone())
    }

    fn store(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clock: Option<&dyn Clock>,
    ) -> Result<(), TlsError> {
        let not_after = check_validity(chain.first().ok_or(TlsError::NoCertificate)?, clock.map(Clock::now))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch,
            rustls::Error::InvalidCertificate(_) => TlsError::BadCertificate(error.to_string()),
            error => TlsError::BadKey(error.to_string()),
        })?;
        self.0.store(Some(Arc::new(Current { key: Arc::new(key), not_after })));
        Ok(())
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|current| Arc::clone(&current.key))
    }
}

/// Nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("not_after", &self.not_after()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _root_hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.current().filter(|current| current.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        self.0.load().is_some()
    }
}

/// The certificates in a PEM text; at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::BadCertificate(error.to_string()))?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

fn check_validity(certificate: &CertificateDer<'_>, now: Option<Timestamp>) -> Result<Timestamp, TlsError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| TlsError::BadCertificate(error.to_string()))?;
    let not_before = Timestamp::from_unix_seconds(parsed.validity().not_before.timestamp());
    let not_after = Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp());
    if now.is_some_and(|now| now < not_before) {
        return Err(TlsError::NotYetValid { not_before });
    }
    if now.is_some_and(|now| now > not_after) {
        return Err(TlsError::Expired { not_after });
    }
    Ok(not_after)
}
