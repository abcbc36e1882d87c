// SPDX-License-Identifier: Apache-2.0
//! The certificate authorities that the other end must come from; replaced while connections go on.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use super::identity::certificates;
use super::{TlsError, provider};

/// Trusted authorities, at least one. Clones are the same set; new connections are checked by the newest.
#[derive(Debug, Clone)]
pub struct Roots(Arc<ArcSwap<Verifiers>>);

/// Made once for each set, since every handshake needs one.
#[derive(Debug)]
pub(super) struct Verifiers {
    pub(super) of_clients: Arc<dyn ClientCertVerifier>,
    pub(super) of_servers: Arc<dyn ServerCertVerifier>,
}

impl Roots {
    /// From certificates in DER.
    ///
    /// # Errors
    /// [`TlsError::NoCertificate`], [`TlsError::BadCertificate`].
    pub fn from_der(authorities: &[Vec<u8>]) -> Result<Self, TlsError> {
        let authorities: Vec<_> = authorities.iter().map(|authority| CertificateDer::from(authority.clone())).collect();
        Ok(Self(Arc::new(ArcSwap::from_pointee(Verifiers::new(&authorities)?))))
    }

    /// From certificates in PEM.
    ///
    /// # Errors
    /// [`TlsError::NoCertificate`], [`TlsError::BadCertificate`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Verifiers::new(&certificates(pem)?)?))))
    }

    /// From then on, these authorities alone. On an error the old ones stay.
    ///
    /// # Errors
    /// Like [`Roots::from_der`].
    pub fn replace(&self, authorities: &[Vec<u8>]) -> Result<(), TlsError> {
        let new = Self::from_der(authorities)?;
        self.0.store(new.0.load_full());
        Ok(())
    }

    pub(super) fn verifiers(&self) -> Arc<Verifiers> {
        self.0.load_full()
    }
}

impl Verifiers {
    pub(super) fn new(authorities: &[CertificateDer<'_>]) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for authority in authorities {
            let added = store.add(authority.clone().into_owned());
            added.map_err(|error| TlsError::BadCertificate(error.to_string()))?;
        }
        let store = Arc::new(store);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&store), provider()).build();
        let servers = WebPkiServerVerifier::builder_with_provider(store, provider()).build();
        Ok(Self {
            of_clients: clients.map_err(|_| TlsError::NoCertificate)?,
            of_servers: servers.map_err(|_| TlsError::NoCertificate)?,
        })
    }
}
