// SPDX-License-Identifier: Apache-2.0
//! All keys of a ring, and what can be read off their times.

use cress_domain::Timestamp;

use super::{KeyFacts, KeyState};

/// All keys of a ring, in the order in which they sign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    pub(super) keys: Vec<KeyFacts>,
}

impl Roster {
    /// A roster of these keys, given in any order.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = KeyFacts>) -> Self {
        let mut roster = Self { keys: keys.into_iter().collect() };
        roster.sort();
        roster
    }

    pub(super) fn sort(&mut self) {
        self.keys.sort_unstable_by_key(|key| (key.signs_from, key.created_at));
    }

    /// Its keys in the order in which they sign, gone and revoked ones among them.
    #[must_use]
    pub fn keys(&self) -> &[KeyFacts] {
        &self.keys
    }

    /// The key that signs at this moment. None if there is no key, or if the last one's time is over and nobody could write
    /// that it may go on.
    #[must_use]
    pub fn signer(&self, now: Timestamp) -> Option<KeyFacts> {
        signer(self.live(), now).copied()
    }

    /// The keys in the published set, oldest first.
    #[must_use]
    pub fn published(&self, now: Timestamp) -> Vec<KeyFacts> {
        let first_needed = self.first_needed(now);
        let mut published: Vec<_> =
            self.live().filter(|key| key.signs_from >= first_needed || now < key.published_until).copied().collect();
        published.sort_unstable_by_key(|key| key.created_at);
        published
    }

    /// The keys that sign at this moment or later: of these the private halves are needed.
    #[must_use]
    pub fn signing(&self, now: Timestamp) -> Vec<KeyFacts> {
        let first_needed = self.first_needed(now);
        self.live().filter(|key| key.signs_from >= first_needed).copied().collect()
    }

    /// What a key of this roster does.
    #[must_use]
    pub fn state(&self, key: &KeyFacts, now: Timestamp) -> KeyState {
        if !key.is_live() {
            KeyState::Revoked
        } else if self.signer(now).is_some_and(|signer| signer.created_at == key.created_at) {
            KeyState::Active
        } else if key.signs_from > now {
            KeyState::Next
        } else if key.signs_from >= self.first_needed(now) || now < key.published_until {
            KeyState::Retired
        } else {
            KeyState::Gone
        }
    }

    /// When the signer or the published set changes next, if no one changes the plan.
    #[must_use]
    pub fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        self.live().flat_map(|key| [key.signs_from, key.published_until]).filter(|event| *event > now).min()
    }

    /// The keys that were not revoked.
    pub(super) fn live(&self) -> impl Iterator<Item = &KeyFacts> + Clone {
        self.keys.iter().filter(|key| key.is_live())
    }

    /// The signer's first moment. Where none signs, the last key's: it may be told to go on at any time.
    fn first_needed(&self, now: Timestamp) -> Timestamp {
        let needed = signer(self.live(), now).or_else(|| self.live().last());
        needed.map_or(now, |key| key.signs_from)
    }
}

/// Which of these live keys, in the order in which they sign, signs at this moment: the newest whose time it is. If it is nobody's
/// time, the next to come: whoever's clock is a little behind the birth of the first key, or behind an emergency, needs one too.
pub(crate) fn signer<'a>(live: impl Iterator<Item = &'a KeyFacts> + Clone, now: Timestamp) -> Option<&'a KeyFacts> {
    let on_time = live.clone().filter(|key| key.signs_from <= now && now < key.signs_until).last();
    on_time.or_else(|| live.into_iter().find(|key| key.signs_from > now))
}
