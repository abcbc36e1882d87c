// SPDX-License-Identifier: Apache-2.0
//! All configured key-encryption keys: one seals, all of them open.

use std::fmt;

use arc_swap::ArcSwap;
use cress_domain::Secret;
use cress_store::Sealed;

use super::{
    EnvelopeError, KeyEncryptionKey, KeyEncryptionKeyError, KeyEncryptionKeyId, KeyEncryptionKeySource, Purpose,
    envelope,
};

/// The configured key-encryption keys: the active one, which seals, and others that open what was sealed with them.
///
/// To replace the active key, configure the new one as active and the old one among the others on every replica, rewrap, and
/// then drop the old one. The keys may be exchanged while they are in use.
pub struct KeyEncryptionKeys(ArcSwap<Set>);

struct Set {
    active: KeyEncryptionKey,
    others: Vec<KeyEncryptionKey>,
}

impl KeyEncryptionKeys {
    /// These keys.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError::RepeatedId`] if two different keys have the same id.
    pub fn new(active: KeyEncryptionKey, others: Vec<KeyEncryptionKey>) -> Result<Self, KeyEncryptionKeyError> {
        let mut set = Set { active, others: Vec::with_capacity(others.len()) };
        for key in others {
            match set.get(key.id().as_str()) {
                None => set.others.push(key),
                Some(known) if known.fingerprint() == key.fingerprint() => {}
                Some(_) => return Err(KeyEncryptionKeyError::RepeatedId(key.id().clone())),
            }
        }
        Ok(Self(ArcSwap::from_pointee(set)))
    }

    /// Reads the keys from their sources. The active one is the one with this id, or else the first. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError`] naming the source, or saying that there is no source or no key with the active id.
    pub fn load(
        sources: &[KeyEncryptionKeySource],
        active: Option<&KeyEncryptionKeyId>,
    ) -> Result<Self, KeyEncryptionKeyError> {
        let loaded = sources.iter().map(KeyEncryptionKeySource::load).collect::<Result<Vec<_>, _>>()?;
        let mut keys: Vec<_> = loaded.into_iter().flatten().collect();
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
    pub fn active(&self) -> KeyEncryptionKeyId {
        self.0.load().active.id().clone()
    }

    /// All keys, the active one first, each as [`KeyEncryptionKey::description`] has it.
    #[must_use]
    pub fn descriptions(&self) -> Vec<String> {
        self.0.load().all().map(KeyEncryptionKey::description).collect()
    }

    /// Takes these keys from now on, in place of the former ones. What only a former key opens can be opened no more.
    pub fn replace(&self, keys: Self) {
        self.0.store(keys.0.into_inner());
    }

    /// Seals a secret with the active key, so that it opens only for this purpose and id.
    ///
    /// # Errors
    /// [`EnvelopeError::Failed`].
    pub fn seal(&self, purpose: Purpose, id: &str, secret: &Secret<Vec<u8>>) -> Result<Sealed, EnvelopeError> {
        envelope::seal(&self.0.load().active, purpose, id, secret)
    }

    /// Opens what was sealed for this purpose and id.
    ///
    /// # Errors
    /// [`EnvelopeError`] saying whether the key is missing or wrong, or the envelope.
    pub fn open(&self, purpose: Purpose, id: &str, sealed: &Sealed) -> Result<Secret<Vec<u8>>, EnvelopeError> {
        let set = self.0.load();
        let key = set.get(&sealed.key_encryption_key).ok_or_else(|| set.missing(sealed))?;
        envelope::open(key, purpose, id, &sealed.bytes)
    }

    /// Whether the active key seals this already.
    fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.key_encryption_key == self.0.load().active.id().as_str()
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
}

impl Set {
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
        let set = self.0.load();
        let others: Vec<_> = set.others.iter().map(KeyEncryptionKey::id).collect();
        formatter.debug_struct("KeyEncryptionKeys").field("active", set.active.id()).field("others", &others).finish()
    }
}
