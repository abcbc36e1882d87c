// SPDX-License-Identifier: Apache-2.0
//! What the schedule knows of one key, and when it ends.

use std::time::Duration;

use cress_domain::Timestamp;

use crate::Settings;

/// The times of one key. Its birth is unique in its ring, and stands for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts {
    /// When it was made and published.
    pub created_at: Timestamp,
    /// From when it may sign.
    pub signs_from: Timestamp,
    /// Until when it may sign.
    pub signs_until: Timestamp,
    /// Until when it stays in the published set, at least.
    pub published_until: Timestamp,
    /// When it was revoked in an emergency.
    pub revoked_at: Option<Timestamp>,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Published, verifies only.
    Retired,
    /// Left the published set.
    Gone,
    /// Revoked: verifies nothing.
    Revoked,
}

impl KeyFacts {
    pub(super) fn born(created_at: Timestamp, signs_from: Timestamp, settings: &Settings) -> Self {
        let signs_until = signs_from + settings.active;
        Self { created_at, signs_from, signs_until, published_until: signs_until + settings.tail(), revoked_at: None }
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.revoked_at.is_none()
    }

    pub(super) fn had_its_lead_at(&self, settings: &Settings) -> Timestamp {
        self.created_at + settings.lead
    }

    /// Lets it sign until then. Sooner than was promised counts only for who reads the store: a replica that cannot may sign by the
    /// old plan until its copy is stale, so what it signs then must stay verifiable.
    pub(super) fn sign_until(&mut self, until: Timestamp, now: Timestamp, settings: &Settings) {
        let tail = self.tail().max(settings.tail());
        let old_plan_ends = self.signs_until.min(now + settings.stale_max());
        self.signs_until = until;
        self.published_until = until.max(old_plan_ends) + tail;
    }

    /// Tokens promised from now on may live longer than those before, if the settings say so; never the other way round.
    pub(super) fn keep_for_the_longest_token(&mut self, settings: &Settings) {
        self.published_until = self.published_until.max(self.signs_until + settings.tail());
    }

    fn tail(&self) -> Duration {
        self.published_until.saturating_since(self.signs_until)
    }
}
