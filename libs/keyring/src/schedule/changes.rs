// SPDX-License-Identifier: Apache-2.0
//! How a plan goes on: births, switches, revocations. Each function gives the roster as it shall be; writing it down, all of it or
//! nothing, is the caller's.

use std::time::Duration;

use cress_domain::Timestamp;

use super::{KeyFacts, KeyState, Roster};
use crate::Settings;

/// How many keys that are gone, or revoked and expired, stay on record. Chosen by number, so that no wrong clock ever drops more.
const PAST_KEYS_KEPT: usize = 8;

/// Two keys born at the same moment would have the same id.
const BIRTHS_APART: Duration = Duration::from_micros(1);

/// A switch that cannot be made yet: verifiers may not have the next key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a next key that was public for its lead time, which is so from {at} on; if the active key must go now, revoke it"
)]
pub struct TooEarly {
    /// From when on it can.
    pub at: Timestamp,
}

/// A key that cannot be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// There is none with that birth.
    #[error("the ring has no such key")]
    Unknown,
    /// It is revoked already.
    #[error("the key is revoked already")]
    Already,
}

impl Roster {
    /// What is due: the first two keys of an empty ring, the successor of a key that has begun to sign, a longer time in the
    /// published set if tokens may live longer now. None if nothing is.
    #[must_use]
    pub fn advanced(&self, settings: &Settings, now: Timestamp) -> Option<Self> {
        let mut roster = self.clone();
        roster.settle(settings, now);
        (roster != *self).then_some(roster)
    }

    /// Switches to the next key now.
    ///
    /// # Errors
    /// [`TooEarly`] if it was not public for its lead time.
    pub fn rotated(&self, settings: &Settings, now: Timestamp) -> Result<Self, TooEarly> {
        let mut roster = self.clone();
        roster.settle(settings, now);
        let next = roster.upcoming(now);
        let at = next.map_or(now + settings.lead, |next| next.had_its_lead_at(settings));
        if now < at {
            return Err(TooEarly { at });
        }
        let signer = roster.signer(now).map(|signer| signer.created_at);
        if let Some(signer) = signer.and_then(|signer| roster.key_mut(signer)) {
            signer.sign_until(now, now, settings);
        }
        roster.promote(next, now);
        roster.settle(settings, now);
        Ok(roster)
    }

    /// Takes a key out of the published set at once. If it is the one that signs, the next signs at once, without its lead time.
    ///
    /// # Errors
    /// [`RevocationError`] if there is no such key or it was revoked before.
    pub fn revoked(&self, settings: &Settings, now: Timestamp, created_at: Timestamp) -> Result<Self, RevocationError> {
        let mut roster = self.clone();
        roster.settle(settings, now);
        let was_signing = roster.signer(now).is_some_and(|signer| signer.created_at == created_at);
        let next = roster.upcoming(now);
        let key = roster.key_mut(created_at).ok_or(RevocationError::Unknown)?;
        if key.revoked_at.replace(now).is_some() {
            return Err(RevocationError::Already);
        }
        if was_signing {
            roster.promote(next, now);
        }
        roster.settle(settings, now);
        Ok(roster)
    }

    /// The next key to sign after the one that does.
    fn upcoming(&self, now: Timestamp) -> Option<KeyFacts> {
        let signer = self.signer(now).map(|signer| signer.created_at);
        self.live().find(|key| key.signs_from > now && Some(key.created_at) != signer).copied()
    }

    fn promote(&mut self, next: Option<KeyFacts>, now: Timestamp) {
        if let Some(next) = next.and_then(|next| self.key_mut(next.created_at)) {
            next.signs_from = next.signs_from.min(now);
        }
        self.sort();
    }

    fn settle(&mut self, settings: &Settings, now: Timestamp) {
        if self.live().next().is_none() {
            self.keys.push(KeyFacts::born(self.moment_of_birth(now), now, settings));
        }
        if self.upcoming(now).is_none() {
            self.bear_successor(settings, now);
        }
        self.join(settings, now);
    }

    fn bear_successor(&mut self, settings: &Settings, now: Timestamp) {
        let created_at = self.moment_of_birth(now);
        let mut signs_from = created_at + settings.lead;
        if let Some(newest) = self.keys.iter_mut().rev().find(|key| key.is_live()) {
            signs_from = signs_from.max(newest.signs_from + settings.active);
            // First of all: where its time is over, it must go on, or else the successor would be needed at once.
            newest.sign_until(signs_from, now, settings);
        }
        self.keys.push(KeyFacts::born(created_at, signs_from, settings));
        self.forget_the_past(now);
        self.sort();
    }

    /// No moment without a signer: each key, from the one that signs on, signs until its successor does.
    fn join(&mut self, settings: &Settings, now: Timestamp) {
        let first = self.signing(now).first().map(|key| key.signs_from);
        let mut successor_signs_from = None;
        for key in self.keys.iter_mut().rev().filter(|key| key.is_live() && Some(key.signs_from) >= first) {
            if let Some(until) = successor_signs_from.filter(|until| key.signs_until != *until) {
                key.sign_until(until, now, settings);
            }
            key.keep_for_the_longest_token(settings);
            successor_signs_from = Some(key.signs_from);
        }
    }

    fn forget_the_past(&mut self, now: Timestamp) {
        let is_past = |key: &KeyFacts| match self.state(key, now) {
            KeyState::Gone => true,
            // Until then tokens signed with it may be about, and the revocation has to be told.
            KeyState::Revoked => now >= key.published_until,
            KeyState::Next | KeyState::Active | KeyState::Retired => false,
        };
        let mut past: Vec<_> = self.keys.iter().filter(|key| is_past(key)).map(|key| key.created_at).collect();
        past.sort_unstable();
        past.truncate(past.len().saturating_sub(PAST_KEYS_KEPT));
        self.keys.retain(|key| !past.contains(&key.created_at));
    }

    fn moment_of_birth(&self, now: Timestamp) -> Timestamp {
        let mut moment = now;
        while self.keys.iter().any(|key| key.created_at == moment) {
            moment = moment + BIRTHS_APART;
        }
        moment
    }

    fn key_mut(&mut self, created_at: Timestamp) -> Option<&mut KeyFacts> {
        self.keys.iter_mut().find(|key| key.created_at == created_at)
    }
}
