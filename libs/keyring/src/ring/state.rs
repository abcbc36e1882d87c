// SPDX-License-Identifier: Apache-2.0
//! What one replica remembers of the ring between two looks at the store. Only one task at a time holds it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{KeyId, Timestamp};
use cress_jose::{JwkSet, SigningKey};
use cress_store::StoreError;
use cress_store::keyring::{KeyRecord, KeyRingStore, RingVersion};

use super::records::{realize, roster, unseal};
use super::view::Signer;
use super::{KeyRingError, RingView};
use crate::schedule::{KeyFacts, Roster};
use crate::{KeyEncryptionKeys, Settings};

#[derive(Default)]
pub(super) struct State {
    /// None if it has to be read again.
    version: Option<RingVersion>,
    records: Vec<KeyRecord>,
    unsealed: HashMap<KeyId, Arc<SigningKey>>,
    /// When the store was last read, by the monotonic clock.
    pub(super) read_at: Duration,
    /// When what is shown was read.
    pub(super) shown_read_at: Duration,
    /// Whether it was said that the clock is behind the ring.
    pub(super) told_clock_is_behind: bool,
}

impl State {
    pub(super) fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    pub(super) fn roster(&self) -> Roster {
        roster(&self.records)
    }

    /// Reads the ring if it has changed.
    pub(super) async fn read(&mut self, store: &KeyRingStore, settings: &Settings) -> Result<(), StoreError> {
        // Taken out: after a failure it is read as a whole, since an older copy may have taken the store's place meanwhile.
        let known = self.version.take();
        let current = store.version(settings.ring).await?;
        if known == Some(current) {
            self.version = known;
        } else {
            let ring = store.load(settings.ring).await?;
            self.records = ring.keys;
            self.version = Some(ring.version);
            // Opened anew, so that a damaged envelope is told while what it held is still in use, and not at the next start.
            self.unsealed.clear();
        }
        Ok(())
    }

    /// Writes a planned roster, bearing its new keys; false if others were faster. Then, and after any error, it has to be read again.
    pub(super) async fn write(
        &mut self,
        planned: &Roster,
        store: &KeyRingStore,
        keys: &KeyEncryptionKeys,
        settings: &Settings,
    ) -> Result<bool, KeyRingError> {
        let records = realize(planned, &self.records, keys, settings)?;
        self.replace(records, store, settings).await
    }

    pub(super) async fn replace(
        &mut self,
        records: Vec<KeyRecord>,
        store: &KeyRingStore,
        settings: &Settings,
    ) -> Result<bool, KeyRingError> {
        let Some(expected) = self.version.take() else { return Ok(false) };
        match store.replace(settings.ring, expected, &records).await {
            Ok(version) => {
                self.version = Some(version);
                self.records = records;
                Ok(true)
            }
            Err(StoreError::Outdated { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What the ring shows at this moment.
    pub(super) fn view(
        &mut self,
        keys: &KeyEncryptionKeys,
        settings: &Settings,
        now: Timestamp,
        fresh_until: Timestamp,
    ) -> Result<RingView, KeyRingError> {
        let roster = self.roster();
        let published = roster.published(now);
        self.unseal(&published, keys, settings)?;
        let key = |facts: &KeyFacts| {
            let record = self.records.iter().find(|record| record.created_at == facts.created_at)?;
            self.unsealed.get(&record.kid)
        };
        let set = JwkSet::new(published.iter().filter_map(key).map(|key| key.public_jwk()).collect())?;
        let signer = |facts: KeyFacts| key(&facts).map(|key| Signer { facts, key: Arc::clone(key) });
        let signers = roster.signing(now).into_iter().filter_map(signer).collect();
        Ok(RingView::new(set, signers, fresh_until))
    }

    /// Each published key's private half, opened once; all others are forgotten.
    fn unseal(
        &mut self,
        published: &[KeyFacts],
        keys: &KeyEncryptionKeys,
        settings: &Settings,
    ) -> Result<(), KeyRingError> {
        let is_published = |record: &&KeyRecord| published.iter().any(|facts| facts.created_at == record.created_at);
        let mut unsealed = HashMap::with_capacity(published.len());
        for record in self.records.iter().filter(is_published) {
            let key = match self.unsealed.get(&record.kid) {
                Some(key) => Arc::clone(key),
                None => unseal(record, keys, settings)?,
            };
            unsealed.insert(record.kid.clone(), key);
        }
        self.unsealed = unsealed;
        Ok(())
    }
}
