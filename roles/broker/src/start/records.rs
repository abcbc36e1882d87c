// SPDX-License-Identifier: Apache-2.0
//! A broker's records and the keys that vouch for them, for tools beside it, whether it runs or not. No table and no file is made that
//! is not there.

use cress_domain::{Clock, KeyId};
use cress_jose::{JwkSet, JwksError};
use cress_store::audit::AuditStore;
use cress_store::{Database, DatabaseOptions, Migrations, StoreError};

use super::{StartError, database_of, key_encryption};
use crate::audit::verify::{Report, Verifier, stored};
use crate::audit::{AuditKeyError, AuditKeys, Hashed, KeyedHash};
use crate::config::Config;

/// The records of a configuration's store.
#[derive(Debug)]
pub struct Records {
    config: Config,
    store: AuditStore,
}

/// Why they cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The configuration or the database cannot be used.
    #[error(transparent)]
    Open(#[from] StartError),
    /// There are none.
    #[error("there are no records in {0}; the broker makes the tables at its first start")]
    None(String),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] AuditKeyError),
    /// There are no keys, or too many for one set.
    #[error("the keys: {0}")]
    Set(#[from] JwksError),
}

impl Records {
    /// Opens the store.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn open(config: &Config) -> Result<Self, RecordsError> {
        let (url, options) = database_of(config)?;
        let none = || RecordsError::None(url.to_string());
        if url.file().is_some_and(|file| !file.exists()) {
            return Err(none());
        }
        let options = DatabaseOptions { migrations: Migrations::Refuse, ..options };
        let database = Database::open_with(&url, options).await?;
        let modules = cress_store::versions(&database).await?;
        if !modules.iter().any(|module| module.module == "audit" && module.found > 0) {
            return Err(none());
        }
        Ok(Self { config: config.clone(), store: AuditStore::open(&database).await? })
    }

    /// Looks at all of them.
    ///
    /// # Errors
    /// [`RecordsError::Store`]
    pub async fn verify(&self, verifier: Verifier) -> Result<Report, RecordsError> {
        Ok(stored(&self.store, verifier).await?)
    }

    /// The public halves of the keys that vouch for them, or did.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn public_keys(&self) -> Result<JwkSet, RecordsError> {
        let keys = AuditKeys::public(&self.store).await?;
        Ok(JwkSet::new(keys.into_iter().map(|key| key.jwk).collect())?)
    }

    /// Makes another signing key, with which each broker signs from its next start on.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn rotate_key(&self, clock: &dyn Clock) -> Result<KeyId, RecordsError> {
        Ok(AuditKeys::rotate(&self.store, &self.key_encryption_keys()?, clock).await?)
    }

    /// Seals the keys anew under the key-encryption key that seals now, where another one did. Returns how many.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn reseal_keys(&self) -> Result<usize, RecordsError> {
        Ok(AuditKeys::rewrap(&self.store, &self.key_encryption_keys()?).await?)
    }

    /// A token or secret as the records have it.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn hash(&self, kind: Hashed, secret: &[u8]) -> Result<KeyedHash, RecordsError> {
        let key = AuditKeys::hash_key(&self.store, &self.key_encryption_keys()?).await?;
        Ok(key.hash(kind, secret))
    }

    fn key_encryption_keys(&self) -> Result<cress_keyring::KeyEncryptionKeys, StartError> {
        let (url, _) = database_of(&self.config)?;
        key_encryption::load(&self.config.key_encryption, &self.config.data_dir, &url)
    }
}
