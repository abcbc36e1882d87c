// SPDX-License-Identifier: Apache-2.0
//! All configured key-encryption keys: one seals, all of them open.

use std::fmt;

use cress_domain::Secret;
use cress_store::Sealed;

use super::{
    EnvelopeError, KeyEncryptionKey, KeyEncryptionKeyError, KeyEncryptionKeyId, KeyEncryptionKeySource, Purpose,
    envelope,
};

/// The configured key-encryption keys: the active one, which seals, and others that open what was sealed with them.
///
/// To replace the active key, configure the new one as active and the old one among the others on every replica, rewrap, and
/// then drop the old one.
pub struct KeyEncryptionKeys {
    active: KeyEncryptionKey,
    others: Vec<KeyEncryptionKey>,
}

impl KeyEncryptionKeys {
    /// These keys.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError::RepeatedId`] if two different keys have the same id.
    pub fn new(active: KeyEncryptionKey, others: Vec<KeyEncryptionKey>) -> Result<Self, KeyEncryptionKeyError> {
        let mut keys = Self { active, others: Vec::with_capacity(others.len()) };
        for key in others {
            match keys.get(key.id().as_str()) {
                None => keys.others.push(key),
                Some(known) if known.fingerprint() == key.fingerprint() => {}
                Some(_) => return Err(KeyEncryptionKeyError::RepeatedId(key.id().clone())),
            }
        }
        Ok(keys)
    }

    /// Reads the keys from their sources. The active one is the one with this id, or else the first. Blocks briefly on the disk;
    /// meant for the start of a process.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError`] naming the source, or saying that there is no source or no key with the active id.
    pub fn load(
        sources: &[KeyEncryptionKeySource],
        active: Option<&KeyEncryptionKeyId>,
    ) -> Result<Self, KeyEncryptionKeyError> {
        let mut keys = sources.iter().map(KeyEncryptionKeySource::load).collect::<Result<Vec<_>, _>>()?;
        let active = match active {
            None if keys.is_empty() => return Err(KeyEncryptionKeyError::NoSource),
            None => 0,
            Some(id) => keys
                .iter()
                .position(|key| key.id() == id)
                .ok_or_else(|| KeyEncryptionKeyError::NoActive { id: id.clone(), known: names(&keys) })?,
        };
        Self::new(keys.remove(active), keys)
    }

    /// The id of the key that seals.
    #[must_use]
    pub const fn active(&self) -> &KeyEncryptionKeyId {
        self.active.id()
    }

    /// Seals a secret with the active key, so that it opens only for this purpose and id.
    ///
    /// # Errors
    /// [`EnvelopeError::Failed`].
    pub fn seal(&self, purpose: Purpose, id: &str, secret: &Secret<Vec<u8>>) -> Result<Sealed, EnvelopeError> {
        envelope::seal(&self.active, purpose, id, secret)
    }

    /// Opens what was sealed for this purpose and id.
    ///
    /// # Errors
    /// [`EnvelopeError`] saying whether the key is missing or wrong, or the envelope.
    pub fn open(&self, purpose: Purpose, id: &str, sealed: &Sealed) -> Result<Secret<Vec<u8>>, EnvelopeError> {
        let key = self.get(&sealed.key_encryption_key).ok_or_else(|| self.missing(sealed))?;
        envelope::open(key, purpose, id, &sealed.bytes)
    }

    /// Whether the active key seals this already.
    fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.key_encryption_key == self.active.id().as_str()
    }

    /// Seals anew with the active key, if it was sealed with another.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn rewrap(&self, purpose: Purpose, id: &str, sealed: &Sealed) -> Result<Option<Sealed>, EnvelopeError> {
        if self.is_current(sealed) {
            return Ok(None);
        }
        let secret = self.open(purpose, id, sealed)?;
        self.seal(purpose, id, &secret).map(Some)
    }

    fn all(&self) -> impl Iterator<Item = &KeyEncryptionKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    fn get(&self, id: &str) -> Option<&KeyEncryptionKey> {
        self.all().find(|key| key.id().as_str() == id)
    }

    fn missing(&self, sealed: &Sealed) -> EnvelopeError {
        // From the database, which others may write to: a text that is no id is not repeated.
        let id = sealed.key_encryption_key.parse::<KeyEncryptionKeyId>();
        let id = id.map_or_else(|_| "(not an id)".to_owned(), |id| id.to_string());
        EnvelopeError::KeyMissing { id, known: names(self.all()) }
    }
}

fn names<'a>(keys: impl IntoIterator<Item = &'a KeyEncryptionKey>) -> String {
    let names: Vec<_> = keys.into_iter().map(|key| key.id().as_str()).collect();
    names.join(", ")
}

impl fmt::Debug for KeyEncryptionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(KeyEncryptionKey::id).collect();
        formatter.debug_struct("KeyEncryptionKeys").field("active", self.active.id()).field("others", &others).finish()
    }
}
