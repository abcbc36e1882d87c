// SPDX-License-Identifier: Apache-2.0
//! Control's certificate authority: what nodes know control by, and control its nodes.
//!
//! Its private key lies in the store under envelope encryption and leaves this module nowhere. It signs certificates of two kinds and
//! no other: the node protocol's server, and nodes, whose certificates carry nothing that the node chose but its key.

mod authority;
mod certificate;
mod currency;
mod key;
mod pem;
mod request;
mod rotation;
mod server;
mod stored;

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cress_domain::{Clock, MachineId, Random, Timestamp};
use cress_keyring::{EnvelopeError, KeyEncryptionKeys};
use cress_service::tls::{Roots, TlsError};
use cress_store::control::{CertificateAuthorityRecord, ControlStore};
use cress_store::{CertificateFingerprint, StoreError};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, X509Certificate};

use authority::{Authority, Term};
pub(crate) use certificate::{NODE_URN_PREFIX, Validity};
use currency::ListState;
pub(crate) use currency::NotCurrent;
pub(crate) use request::{NodeKey, key_fingerprint};
pub(crate) use rotation::{AuthorityState, AuthoritySummary, RotationSettings};
pub(crate) use server::ServerCertificate;

/// The authority that signs, and those that are trusted. Clones are the same.
#[derive(Clone)]
pub(crate) struct CertificateAuthority(Arc<Inner>);

struct Inner {
    /// Oldest first; never empty.
    terms: RwLock<Arc<[Term]>>,
    /// How current that list is.
    list: Mutex<ListState>,
    roots: Roots,
    /// What nodes are to trust, PEM.
    trusted: watch::Sender<Arc<str>>,
    store: ControlStore,
    keys: Arc<KeyEncryptionKeys>,
    settings: RotationSettings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Why the authority cannot be had, or does not sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its key's envelope cannot be made or opened.
    #[error("the private key of the certificate authority: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The cryptographic library failed.
    #[error("a key pair for certificates could not be made")]
    Key,
    /// What was in the envelope is no key.
    #[error("expected a P-256 private key as PKCS #8 in the certificate authority's envelope, found something else")]
    KeyMalformed,
    /// The stored key is another's.
    #[error("the stored private key is not that of the stored certificate authority")]
    KeyMismatch,
    /// The stored certificate is none.
    #[error("expected an X.509 certificate as the stored certificate authority, found something else")]
    Malformed,
    /// Some of those stored are of no use.
    #[error(
        "{count} of the stored certificate authorities cannot be used here and are left out, the first being {fingerprint}: {reason}; `cress doctor` says more"
    )]
    Unusable {
        /// How many.
        count: usize,
        /// The first one.
        fingerprint: CertificateFingerprint,
        /// Why that one.
        reason: String,
    },
    /// None stored, though one was just made.
    #[error("the store holds no certificate authority")]
    Missing,
    /// A time that no certificate can carry.
    #[error("the clock shows {0}, which no certificate can carry; set it right")]
    Clock(Timestamp),
    /// The certificate library failed.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses what was made.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl CertificateAuthority {
    /// Loads the authorities from the store, and makes the first one if there is none yet: once, however many replicas start.
    ///
    /// # Errors
    /// [`CaError`]
    pub(crate) async fn open(
        store: &ControlStore,
        keys: &Arc<KeyEncryptionKeys>,
        settings: RotationSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, CaError> {
        let mut records = store.certificate_authorities().await?;
        if records.is_empty() {
            let (authority, now) = (Authority::generate(clock.now(), random.as_ref())?, clock.now());
            let (authority, cross) = (Arc::new(authority), Vec::new());
            let first = Term { authority, created_at: now, signs_from: now, retires_at: None, cross };
            records = store.ensure_certificate_authority(&stored::seal(&first, keys)?).await?;
        }
        let terms = records.into_iter().map(|record| stored::term(record, &[], keys));
        let terms: Arc<[Term]> = terms.collect::<Result<_, _>>()?;
        let trusted = trusted(&terms, clock.now());
        let roots = Roots::from_der(&trusted)?;
        let trusted = watch::Sender::new(pem::certificates(trusted.iter().map(Vec::as_slice)).into());
        let (store, keys, terms) = (store.clone(), Arc::clone(keys), RwLock::new(terms));
        let list = Mutex::new(ListState { read_at: clock.monotonic(), unusable: 0, scrub_refused_at: None });
        Ok(Self(Arc::new(Inner { terms, list, roots, trusted, store, keys, settings, clock, random })))
    }

    /// Wraps each stored private key anew that the active key-encryption key does not protect yet, and returns how many those were. To
    /// be called when the signing keys are wrapped anew: at its end nothing is left in the store's files of what was there before.
    ///
    /// # Errors
    /// [`CaError`]
    pub(crate) async fn rewrap(store: &ControlStore, keys: &KeyEncryptionKeys) -> Result<usize, CaError> {
        let mut rewrapped = 0;
        for record in store.certificate_authorities().await? {
            if let Some(sealed) = stored::rewrap(&record, keys)? {
                store.reseal_certificate_authority(record.fingerprint, &sealed).await?;
                rewrapped += 1;
            }
        }
        store.scrub().await?;
        Ok(rewrapped)
    }

    /// The id of the key-encryption key of each stored private key.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn sealed_under(store: &ControlStore) -> Result<Vec<String>, StoreError> {
        let authorities = store.certificate_authorities().await?;
        Ok(authorities.into_iter().map(|authority| authority.private_key.key_encryption_key).collect())
    }

    /// The authorities that a node's certificate may come from.
    pub(crate) fn roots(&self) -> Roots {
        self.0.roots.clone()
    }

    /// The authorities that nodes are to trust, PEM: for `ca.pem`.
    pub(crate) fn authorities_pem(&self) -> String {
        self.0.trusted.borrow().to_string()
    }

    /// The same, as it changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<str>> {
        self.0.trusted.subscribe()
    }

    /// SHA-256 of the certificate of the authority that signs: for join tokens.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], CaError> {
        Ok(self.signing()?.fingerprint())
    }

    /// From when until when a node's certificate made now is good: to be stored before it is made.
    pub(crate) fn node_validity(&self) -> Result<Validity, CaError> {
        Ok(Validity::new(self.0.clock.now(), certificate::NODE_CERTIFICATE_LIFE, self.signing()?.not_after))
    }

    /// A certificate for a node, PEM.
    ///
    /// # Errors
    /// [`CaError`]
    pub(crate) fn sign_node(&self, machine: MachineId, key: &NodeKey, validity: Validity) -> Result<String, CaError> {
        let params = certificate::node(machine, validity, self.0.random.as_ref())?;
        let der = self.signing()?.sign(&params, &key.public_key)?;
        Ok(pem::certificates([der.as_slice()].into_iter()))
    }

    /// What stands behind the server's own certificate, so that whoever knows any trusted authority, or an earlier one, can verify it.
    fn server_chain(&self) -> Result<Vec<Vec<u8>>, CaError> {
        let (signing, now) = (self.signing_term()?, self.0.clock.now());
        let own = signing.authority.fingerprint();
        let terms = self.terms();
        let others = terms.iter().filter(|term| term.is_trusted(now) && term.authority.fingerprint() != own);
        let certificates = std::iter::once(&signing).chain(others).map(|term| term.authority.certificate().to_vec());
        Ok(certificates.chain(signing.cross.iter().cloned()).collect())
    }

    fn signing(&self) -> Result<Arc<Authority>, CaError> {
        self.signing_term().map(|term| term.authority)
    }

    /// The newest whose time to sign has come. One always signs, whatever the clock shows.
    fn signing_term(&self) -> Result<Term, CaError> {
        let (terms, now) = (self.terms(), self.0.clock.now());
        terms.iter().rfind(|term| term.signs_from <= now).or_else(|| terms.first()).cloned().ok_or(CaError::Missing)
    }

    fn terms(&self) -> Arc<[Term]> {
        Arc::clone(&self.0.terms.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, terms: Arc<[Term]>) -> Result<(), CaError> {
        let trusted = trusted(&terms, self.0.clock.now());
        let pem: Arc<str> = pem::certificates(trusted.iter().map(Vec::as_slice)).into();
        if *pem != **self.0.trusted.borrow() {
            self.0.roots.replace(&trusted)?;
        }
        *self.0.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
        self.0.trusted.send_if_modified(|known| {
            let is_new = *known != pem;
            *known = Arc::clone(&pem);
            is_new
        });
        Ok(())
    }
}

/// The certificates of those whose time is not over; of the newest in any case.
fn trusted(terms: &[Term], now: Timestamp) -> Vec<Vec<u8>> {
    let newest = terms.len().saturating_sub(1);
    let counts = terms.iter().enumerate().filter(|(index, term)| *index == newest || term.is_trusted(now));
    counts.map(|(_, term)| term.authority.certificate().to_vec()).collect()
}

/// Whether the private key of a stored authority is there and its own.
///
/// # Errors
/// [`CaError`] saying why not.
pub(crate) fn try_to_open(record: CertificateAuthorityRecord, keys: &KeyEncryptionKeys) -> Result<(), CaError> {
    stored::open(record, keys).map(drop)
}

/// When a certificate ends; nothing if it cannot be read.
pub(crate) fn not_after(certificate_der: &[u8]) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate_der).ok()?;
    Some(Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp()))
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CertificateAuthority({} known)", self.terms().len())
    }
}
