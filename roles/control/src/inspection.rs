// SPDX-License-Identifier: Apache-2.0
//! Where a control of a given configuration keeps what, and whether its authorities' keys open: for diagnosis and backups, without
//! running it. Nothing is made or written here.

use std::path::PathBuf;

use cress_domain::Timestamp;
use cress_keyring::{KeyEncryptionKeyError, KeyEncryptionKeySource, KeyEncryptionKeys, Settings};
use cress_store::control::ControlStore;
use cress_store::{DatabaseUrl, DatabaseUrlError, StoreError};

use crate::ca;
use crate::config::Config;
use crate::start::{CA_FILE, own_key_path};

/// A certificate authority as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedAuthority {
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// Its certificate in DER.
    pub certificate_der: Vec<u8>,
    /// When its certificate ends; nothing if it cannot be read.
    pub not_after: Option<Timestamp>,
    /// The id of the key-encryption key that protects its private key.
    pub key_encryption_key: String,
    /// Why its private key is of no use; nothing if it opens.
    pub unreadable: Option<String>,
}

impl Config {
    /// The database that control uses, without the password that is elsewhere.
    ///
    /// # Errors
    /// [`DatabaseUrlError`]
    pub fn database_url(&self) -> Result<DatabaseUrl, DatabaseUrlError> {
        self.store.location(&self.data_dir)
    }

    /// Where the key-encryption keys come from: those configured, or the one beside the data directory.
    #[must_use]
    pub fn key_encryption_sources(&self) -> Vec<KeyEncryptionKeySource> {
        if !self.key_encryption.keys.is_empty() {
            return self.key_encryption.keys.clone();
        }
        // As at the start, where the directory exists: `.` has no name, what it stands for has.
        let data_dir = self.data_dir.canonicalize().unwrap_or_else(|_| self.data_dir.clone());
        own_key_path(&data_dir).map(KeyEncryptionKeySource::File).into_iter().collect()
    }

    /// Reads the key-encryption keys. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError`]
    pub fn key_encryption_keys(&self) -> Result<KeyEncryptionKeys, KeyEncryptionKeyError> {
        let active = self.key_encryption.active.as_deref().map(str::parse).transpose()?;
        KeyEncryptionKeys::load(&self.key_encryption_sources(), active.as_ref())
    }

    /// The key ring of workload tokens, as it is kept.
    #[must_use]
    pub fn key_ring_settings(&self) -> Settings {
        self.schedule.settings(&self.kid_prefix)
    }

    /// Where the certificate authorities that nodes trust are written.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.data_dir.join(CA_FILE)
    }
}

/// The stored certificate authorities, oldest first; with keys also whether they open.
///
/// # Errors
/// [`StoreError`]
pub async fn inspect_authorities(
    store: &ControlStore,
    keys: Option<&KeyEncryptionKeys>,
) -> Result<Vec<InspectedAuthority>, StoreError> {
    let records = store.certificate_authorities().await?;
    let inspect = |record: cress_store::control::CertificateAuthorityRecord| InspectedAuthority {
        fingerprint: record.fingerprint.to_string(),
        certificate_der: record.certificate_der.clone(),
        not_after: ca::not_after(&record.certificate_der),
        key_encryption_key: record.private_key.key_encryption_key.clone(),
        unreadable: keys.and_then(|keys| ca::try_to_open(record, keys).err()).map(|error| error.to_string()),
    };
    Ok(records.into_iter().map(inspect).collect())
}
