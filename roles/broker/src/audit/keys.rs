// SPDX-License-Identifier: Apache-2.0
//! The keys that vouch for records: one that signs, and one that tokens and secrets are hashed with. Both rest sealed in the store.
//! A signing key that was replaced signs no more; its public half stays, since what it has signed stays.

use std::fmt;
use std::sync::Arc;

use cress_domain::{Clock, KeyId, Random, Secret, Timestamp};
use cress_jose::{Jwk, SigningKey};
use cress_keyring::{EnvelopeError, KeyEncryptionKeys, Purpose};
use cress_store::StoreError;
use cress_store::audit::{AuditKeyRecord, AuditStore};

use super::HashKey;
use super::keyed_hash::HASH_KEY_BYTES;

/// The name of the key that signs nothing.
const HASH_KEY_NAME: &str = "keyed-hashes";
/// What the ids of signing keys begin with.
const KID_PREFIX: &str = "cress-audit-";

/// The keys in use.
pub struct AuditKeys {
    pub(super) signing: Arc<SigningKey>,
    pub(super) hash: HashKey,
}

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// When it was made.
    pub made_at: Timestamp,
    /// The key.
    pub jwk: Jwk,
}

/// Keys that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditKeyError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be sealed or opened.
    #[error("the key {name:?}: {source}")]
    Envelope {
        /// Which.
        name: String,
        /// Why.
        source: EnvelopeError,
    },
    /// A key cannot be made, or read.
    #[error("the key {name:?} cannot be used: {reason}")]
    Key {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
}

impl AuditKeys {
    /// The keys of this store, made now if there are none. The newest signing key signs.
    ///
    /// # Errors
    /// [`AuditKeyError`]
    pub async fn open(
        store: &AuditStore,
        keys: &KeyEncryptionKeys,
        random: &dyn Random,
        clock: &dyn Clock,
    ) -> Result<Self, AuditKeyError> {
        let mut records = store.keys().await?;
        let mut missing = Vec::new();
        if !records.iter().any(|record| record.name == HASH_KEY_NAME) {
            missing.push(new_hash_key(keys, random, clock.now())?);
        }
        if !records.iter().any(signs) {
            missing.push(new_signing_key(keys, clock.now())?);
        }
        if !missing.is_empty() {
            store.add_keys(&missing).await?;
            // Another replica may have been faster.
            records = store.keys().await?;
        }
        let find = |found: Option<&AuditKeyRecord>, name: &str| {
            let reason = || "it is gone from the store again".to_owned();
            found.cloned().ok_or_else(|| AuditKeyError::Key { name: name.to_owned(), reason: reason() })
        };
        let hash = find(records.iter().find(|record| record.name == HASH_KEY_NAME), HASH_KEY_NAME)?;
        let signing = find(records.iter().rfind(|record| signs(record)), KID_PREFIX)?;
        let hash = HashKey::new(&opened(keys, Purpose::AuditHashKey, &hash)?);
        let kid = key_id(&signing.name)?;
        let pair = SigningKey::from_pkcs8(kid, &opened(keys, Purpose::AuditSigningKey, &signing)?);
        let signing = pair.map_err(|error| unusable(&signing.name, &error))?;
        Ok(Self { signing: Arc::new(signing), hash })
    }

    /// The key of this store that tokens and secrets are hashed with. Nothing is made.
    ///
    /// # Errors
    /// [`AuditKeyError`]
    pub async fn hash_key(store: &AuditStore, keys: &KeyEncryptionKeys) -> Result<HashKey, AuditKeyError> {
        let record = store.keys().await?.into_iter().find(|record| record.name == HASH_KEY_NAME);
        let record = record.ok_or_else(|| AuditKeyError::Key {
            name: HASH_KEY_NAME.to_owned(),
            reason: "there is none yet; the broker makes it at its first start".to_owned(),
        })?;
        Ok(HashKey::new(&opened(keys, Purpose::AuditHashKey, &record)?))
    }

    /// Makes a signing key that processes use from their next start on. Returns its id.
    ///
    /// # Errors
    /// [`AuditKeyError`]
    pub async fn rotate(
        store: &AuditStore,
        keys: &KeyEncryptionKeys,
        clock: &dyn Clock,
    ) -> Result<KeyId, AuditKeyError> {
        let record = new_signing_key(keys, clock.now())?;
        store.add_keys(std::slice::from_ref(&record)).await?;
        key_id(&record.name)
    }

    /// The public halves of all signing keys, the oldest first. Nothing secret is read.
    ///
    /// # Errors
    /// [`AuditKeyError`]
    pub async fn public(store: &AuditStore) -> Result<Vec<PublicKey>, AuditKeyError> {
        let records = store.keys().await?;
        let public = |record: &AuditKeyRecord| {
            let jwk = Jwk::parse(record.public_jwk.as_deref()?.as_bytes());
            let jwk = jwk.map_err(|error| unusable(&record.name, &error));
            Some(jwk.map(|jwk| PublicKey { made_at: record.made_at, jwk }))
        };
        records.iter().filter_map(public).collect()
    }

    /// Seals all keys anew that are not sealed with the key-encryption key that seals now. Returns how many.
    ///
    /// # Errors
    /// [`AuditKeyError`]
    pub async fn rewrap(store: &AuditStore, keys: &KeyEncryptionKeys) -> Result<usize, AuditKeyError> {
        let mut resealed = Vec::new();
        for record in store.keys().await? {
            let purpose = if signs(&record) { Purpose::AuditSigningKey } else { Purpose::AuditHashKey };
            let sealed =
                keys.rewrap(purpose, &record.name, &record.key).map_err(|source| envelope(&record.name, source))?;
            resealed.extend(sealed.map(|sealed| (record.name, sealed)));
        }
        store.reseal_keys(&resealed).await?;
        Ok(resealed.len())
    }
}

fn signs(record: &AuditKeyRecord) -> bool {
    record.public_jwk.is_some()
}

fn new_hash_key(
    keys: &KeyEncryptionKeys,
    random: &dyn Random,
    made_at: Timestamp,
) -> Result<AuditKeyRecord, AuditKeyError> {
    let mut bytes = vec![0; HASH_KEY_BYTES];
    random.fill(&mut bytes);
    let secret = Secret::new(bytes);
    let name = HASH_KEY_NAME.to_owned();
    let key = keys.seal(Purpose::AuditHashKey, &name, &secret).map_err(|source| envelope(&name, source))?;
    Ok(AuditKeyRecord { name, made_at, public_jwk: None, key })
}

fn new_signing_key(keys: &KeyEncryptionKeys, made_at: Timestamp) -> Result<AuditKeyRecord, AuditKeyError> {
    let name = format!("{KID_PREFIX}{}", made_at.rfc3339_seven_digits());
    let pair = SigningKey::generate(key_id(&name)?).map_err(|error| unusable(&name, &error))?;
    let secret = pair.to_pkcs8().map_err(|error| unusable(&name, &error))?;
    let public = serde_json::to_string(&pair.public_jwk()).map_err(|error| unusable(&name, &error))?;
    let key = keys.seal(Purpose::AuditSigningKey, &name, &secret).map_err(|source| envelope(&name, source))?;
    Ok(AuditKeyRecord { name, made_at, public_jwk: Some(public), key })
}

fn opened(
    keys: &KeyEncryptionKeys,
    purpose: Purpose,
    record: &AuditKeyRecord,
) -> Result<Secret<Vec<u8>>, AuditKeyError> {
    keys.open(purpose, &record.name, &record.key).map_err(|source| envelope(&record.name, source))
}

fn key_id(name: &str) -> Result<KeyId, AuditKeyError> {
    name.parse().map_err(|error| unusable(name, &error))
}

fn envelope(name: &str, source: EnvelopeError) -> AuditKeyError {
    AuditKeyError::Envelope { name: name.to_owned(), source }
}

fn unusable(name: &str, error: &dyn std::error::Error) -> AuditKeyError {
    AuditKeyError::Key { name: name.to_owned(), reason: error.to_string() }
}

impl fmt::Debug for AuditKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuditKeys({})", self.signing.kid())
    }
}
