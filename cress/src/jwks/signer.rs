// SPDX-License-Identifier: Apache-2.0
//! Which of the published keys signs now. A key set does not say it; for issuers whose key ids end in the time at which the key was
//! made, as those of cress and of the reference platform do, it follows from how long a key is published before it signs.

use std::time::Duration;

use anyhow::Context;
use cress_domain::{KeyId, Timestamp};
use cress_jose::{Jwk, JwkSet};

/// How the one key is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// The key with this id.
    Named(KeyId),
    /// The newest key that has been public for this long; if there is none, the issuer is new, and its oldest key signs.
    ByAge(Duration),
}

/// Characters of `2025-03-19T16:59:51Z`, without which no text ends in a time.
const TIME_CHARACTERS_MIN: usize = 20;
/// Characters of a time with nine digits after the point.
const TIME_CHARACTERS_MAX: usize = 30;

impl Choice {
    pub(super) fn key<'a>(&self, set: &'a JwkSet, now: Timestamp) -> anyhow::Result<&'a Jwk> {
        match (self, set.keys()) {
            (Self::Named(kid), _) => set
                .get(kid.as_str())
                .with_context(|| format!("expected the key {kid} in the set, which does not have it")),
            (Self::ByAge(_), [only]) => Ok(only),
            (Self::ByAge(lead), keys) => by_age(keys, *lead, now).with_context(|| {
                format!("cannot tell which of {} keys signs, since an id does not end in a time: use --kid", keys.len())
            }),
        }
    }
}

fn by_age(keys: &[Jwk], lead: Duration, now: Timestamp) -> Option<&Jwk> {
    let dated: Option<Vec<_>> = keys.iter().map(|key| Some((made_at(key.kid()?)?, key))).collect();
    let mut dated = dated?;
    dated.sort_by_key(|(made_at, _)| *made_at);
    let signs = dated.iter().rev().find(|(made_at, _)| *made_at + lead <= now);
    signs.or(dated.first()).map(|(_, key)| *key)
}

/// The time at the end of an id.
fn made_at(kid: &KeyId) -> Option<Timestamp> {
    let text = kid.as_str();
    let ends =
        (TIME_CHARACTERS_MIN..=TIME_CHARACTERS_MAX).filter_map(|length| text.get(text.len().checked_sub(length)?..));
    ends.filter_map(|end| Timestamp::parse_rfc3339(end).ok()).next_back()
}

#[cfg(test)]
mod tests {
    use cress_jose::SigningKey;

    use super::*;

    fn set(kids: &[&str]) -> JwkSet {
        let key = |kid: &&str| SigningKey::generate(kid.parse().unwrap()).unwrap().public_jwk();
        JwkSet::new(kids.iter().map(key).collect()).unwrap()
    }

    fn chosen(kids: &[&str], choice: &Choice, now: &str) -> anyhow::Result<String> {
        let set = set(kids);
        let now = Timestamp::parse_rfc3339(now).unwrap();
        choice.key(&set, now).map(|key| key.kid().unwrap().to_string())
    }

    const FIRST: &str = "salad-workload-2025-03-12T16:59:51.0020098Z";
    const SECOND: &str = "salad-workload-2025-03-19T16:59:51.0020098Z";
    const THIRD: &str = "salad-workload-2025-03-26T16:59:51.0014839Z";

    #[test]
    fn the_newest_key_that_is_old_enough_signs() {
        let week = Choice::ByAge(Duration::from_secs(7 * 24 * 3_600));
        for (kids, now, expected) in [
            (&[SECOND, THIRD][..], "2025-03-26T17:00:00Z", SECOND),
            (&[FIRST, SECOND, THIRD], "2025-03-26T17:00:00Z", SECOND),
            (&[THIRD, FIRST, SECOND], "2025-03-26T16:59:00Z", FIRST),
            (&[SECOND, THIRD], "2025-04-02T16:59:52Z", THIRD),
            // A new issuer: nobody waits for its first key.
            (&[SECOND, THIRD], "2025-03-20T00:00:00Z", SECOND),
            (&["anything"], "2025-03-20T00:00:00Z", "anything"),
        ] {
            assert_eq!(chosen(kids, &week, now).unwrap(), expected, "{kids:?} at {now}");
        }
        let at_once = Choice::ByAge(Duration::ZERO);
        assert_eq!(chosen(&[SECOND, THIRD], &at_once, "2025-03-26T17:00:00Z").unwrap(), THIRD);
    }

    #[test]
    fn nothing_is_guessed() {
        let week = Choice::ByAge(Duration::from_secs(7 * 24 * 3_600));
        let now = "2025-03-26T17:00:00Z";
        for kids in [["a", SECOND], [SECOND, "2025-13-45T16:59:51Z"]] {
            let error = chosen(&kids, &week, now).unwrap_err().to_string();
            assert!(error.starts_with("cannot tell which of 2 keys signs"), "{error}");
        }
        let named = |kid: &str| Choice::Named(kid.parse().unwrap());
        assert_eq!(chosen(&["a", "b"], &named("b"), now).unwrap(), "b");
        assert!(chosen(&["a"], &named("b"), now).unwrap_err().to_string().starts_with("expected the key b"));
    }
}
