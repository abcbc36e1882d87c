// SPDX-License-Identifier: Apache-2.0
//! Key ids that a fresh look at the set did not find.
//!
//! A client that keeps sending the same unknown id must not make the verifier fetch the set each second for ever, and must
//! not make it remember ever more.

use std::time::Duration;

use cress_domain::KeyId;
use quick_cache::sync::Cache;

/// Key ids that are remembered for each issuer; the least useful make way for others.
const REMEMBERED_MAX: usize = 1_024;
/// How long an id is taken for unknown without another look. A new key is published long before it signs, so this delays nobody honest.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// The ids, each until a moment of the monotonic clock.
pub(crate) struct UnknownKeyIds(Cache<KeyId, Duration>);

impl UnknownKeyIds {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED_MAX))
    }

    pub(crate) fn contains(&self, kid: &KeyId, monotonic: Duration) -> bool {
        self.0.get(kid).is_some_and(|until| monotonic < until)
    }

    pub(crate) fn insert(&self, kid: KeyId, monotonic: Duration) {
        self.0.insert(kid, monotonic + REMEMBERED_FOR);
    }

    /// Forgets all of them: the set is another.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_forgotten_in_time_and_bounded_in_number() {
        let unknown = UnknownKeyIds::new();
        let now = Duration::from_secs(100);
        let kid: KeyId = "stranger".parse().unwrap();
        unknown.insert(kid.clone(), now);
        assert!(unknown.contains(&kid, now + Duration::from_secs(29)));
        assert!(!unknown.contains(&kid, now + Duration::from_secs(30)));
        for number in 0..100_000 {
            unknown.insert(format!("{number}").parse().unwrap(), now);
        }
        assert!(unknown.0.len() <= REMEMBERED_MAX + 64, "{}", unknown.0.len());
        unknown.clear();
        assert!(unknown.0.is_empty());
    }
}
