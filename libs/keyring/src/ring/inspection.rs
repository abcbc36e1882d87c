// SPDX-License-Identifier: Apache-2.0
//! Looking at a stored ring without keeping it: for diagnosis. Nothing is made, switched or written here.

use cress_domain::Timestamp;
use cress_store::keyring::KeyRingStore;

use super::KeyRingError;
use super::operations::{KeySummary, summary};
use super::records::{roster, unseal};
use crate::{KeyEncryptionKeys, KeyState, Settings};

/// A ring as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingInspection {
    /// Its keys, oldest first.
    pub keys: Vec<InspectedKey>,
    /// Whether something is due that whoever keeps the ring has not done yet: the first keys, a next key, a switch.
    pub has_work_due: bool,
}

/// One key of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedKey {
    /// What operators see of it.
    pub summary: KeySummary,
    /// Why its private half is of no use; nothing if it opens, or if it is not needed any more.
    pub unreadable: Option<KeyRingError>,
}

impl RingInspection {
    /// Reads the ring, and tries to open what is needed of it. Only the ring's name, algorithm and times matter of the settings.
    ///
    /// # Errors
    /// [`KeyRingError::Store`].
    pub async fn of(
        store: &KeyRingStore,
        keys: Option<&KeyEncryptionKeys>,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, KeyRingError> {
        let record = store.load(settings.ring).await?;
        let roster = roster(&record.keys);
        let published = roster.published(now);
        let is_needed = |created_at| published.iter().any(|facts| facts.created_at == created_at);
        let inspect = |record| {
            let summary = summary(record, &roster, now);
            let needed = keys.filter(|_| is_needed(record.created_at));
            let unreadable = needed.and_then(|keys| unseal(record, keys, settings).err());
            InspectedKey { summary, unreadable }
        };
        let keys = record.keys.iter().map(inspect).collect();
        Ok(Self { keys, has_work_due: roster.advanced(settings, now).is_some() })
    }

    /// The key that signs now.
    #[must_use]
    pub fn active(&self) -> Option<&InspectedKey> {
        self.in_state(KeyState::Active).next()
    }

    /// The keys in this state.
    pub fn in_state(&self, state: KeyState) -> impl Iterator<Item = &InspectedKey> {
        self.keys.iter().filter(move |key| key.summary.state == state)
    }
}
