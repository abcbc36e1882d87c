// SPDX-License-Identifier: Apache-2.0
//! What operators ask of a ring: list, switch, revoke, rewrap.

use cress_domain::{KeyId, Timestamp};
use cress_store::keyring::KeyRecord;

use super::key_ring::WRITES_MAX;
use super::records::{facts, with_kid};
use super::state::State;
use super::{KeyRing, KeyRingError};
use crate::schedule::{KeyState, RevocationError, Roster};
use crate::{EnvelopeError, Purpose};

/// A key of the ring, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySummary {
    /// Its id.
    pub kid: KeyId,
    /// What it does now.
    pub state: KeyState,
    /// When it was made and published.
    pub created_at: Timestamp,
    /// From when it signs.
    pub signs_from: Timestamp,
    /// Until when it signs.
    pub signs_until: Timestamp,
    /// When it leaves the published set; of a revoked key, until when tokens may be about that are to be refused.
    pub published_until: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The id of the key-encryption key that protects it.
    pub key_encryption_key: String,
}

/// What came of a rewrap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// How many private keys were sealed anew.
    pub rewrapped: usize,
    /// Which ones could not be opened, and why. None of these is in use.
    pub unreadable: Vec<(KeyId, EnvelopeError)>,
}

/// What operators see of a stored key.
pub(super) fn summary(record: &KeyRecord, roster: &Roster, now: Timestamp) -> KeySummary {
    KeySummary {
        kid: record.kid.clone(),
        state: roster.state(&facts(record), now),
        created_at: record.created_at,
        signs_from: record.signs_from,
        signs_until: record.signs_until,
        published_until: record.published_until,
        revoked_at: record.revoked_at,
        key_encryption_key: record.private_key.key_encryption_key.clone(),
    }
}

impl KeyRing {
    /// All keys on record, oldest first, as the store has them now.
    ///
    /// # Errors
    /// [`KeyRingError::Store`].
    pub async fn list(&self) -> Result<Vec<KeySummary>, KeyRingError> {
        let mut state = self.lock().await;
        self.read(&mut state).await?;
        let (roster, now) = (state.roster(), self.0.clock.now());
        let mut keys: Vec<_> = state.records().iter().map(|record| summary(record, &roster, now)).collect();
        keys.sort_by(|one, other| (one.created_at, &one.kid).cmp(&(other.created_at, &other.kid)));
        Ok(keys)
    }

    /// Switches to the next key now, and returns its id. There is no way to force it: who cannot wait has an emergency.
    ///
    /// # Errors
    /// [`KeyRingError::TooEarly`] if the next key was not public for its lead time.
    pub async fn rotate(&self) -> Result<KeyId, KeyRingError> {
        let mut state = self.lock().await;
        let plan = |state: &State| Ok(state.roster().rotated(&self.0.settings, self.0.clock.now())?);
        self.change(&mut state, plan).await?;
        self.signing(&state)
    }

    /// Revokes a key: it leaves the published set at once, and if it was the one that signs, the next signs at once. Returns the id of
    /// the key that signs from now on. A key that is revoked already stays so.
    ///
    /// # Errors
    /// [`KeyRingError::UnknownKey`].
    pub async fn revoke(&self, kid: &KeyId) -> Result<KeyId, KeyRingError> {
        let mut state = self.lock().await;
        let plan = |state: &State| {
            let unknown = || KeyRingError::UnknownKey(kid.clone());
            let key = with_kid(state.records(), kid).ok_or_else(unknown)?;
            let roster = state.roster();
            match roster.revoked(&self.0.settings, self.0.clock.now(), key.created_at) {
                Ok(planned) => Ok(planned),
                Err(RevocationError::Already) => Ok(roster),
                Err(RevocationError::Unknown) => Err(unknown()),
            }
        };
        self.change(&mut state, plan).await?;
        tracing::warn!(ring = self.0.settings.ring.as_str(), %kid, "a key was revoked");
        self.signing(&state)
    }

    /// Seals every private key anew that is not yet sealed with the active key-encryption key. All of them or none, while everything
    /// goes on; done again, it does nothing.
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub async fn rewrap(&self) -> Result<Rewrapped, KeyRingError> {
        let mut state = self.lock().await;
        for _ in 0..WRITES_MAX {
            self.read(&mut state).await?;
            let (records, done) = self.rewrap_records(state.records());
            if done.rewrapped == 0 || state.replace(records, &self.0.store, &self.0.settings).await? {
                return Ok(done);
            }
        }
        Err(KeyRingError::Contended)
    }

    fn rewrap_records(&self, records: &[KeyRecord]) -> (Vec<KeyRecord>, Rewrapped) {
        let purpose = Purpose::SigningKey(self.0.settings.ring);
        let (mut records, mut done) = (records.to_vec(), Rewrapped::default());
        for record in &mut records {
            match self.0.keys.rewrap(purpose, record.kid.as_str(), &record.private_key) {
                Ok(None) => {}
                Ok(Some(private_key)) => {
                    record.private_key = private_key;
                    done.rewrapped += 1;
                }
                Err(error) => done.unreadable.push((record.kid.clone(), error)),
            }
        }
        (records, done)
    }

    fn signing(&self, state: &State) -> Result<KeyId, KeyRingError> {
        let signer = state.roster().signer(self.0.clock.now());
        let record =
            state.records().iter().find(|record| signer.is_some_and(|key| key.created_at == record.created_at));
        record.map(|record| record.kid.clone()).ok_or(KeyRingError::Contended)
    }
}
