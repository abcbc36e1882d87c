// SPDX-License-Identifier: Apache-2.0
//! Tokens that have been verified already.
//!
//! The key is the whole token: two tokens that differ in one byte have nothing to do with each other. An entry says for which
//! keys and in which time it holds; whoever finds it has to ask whether both are still so.

use std::hash::{Hash, Hasher, RandomState};
use std::sync::Arc;

use cress_domain::Timestamp;
use cress_token::{Claims, Rules, Verified};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

/// Most tokens that are remembered, whatever the settings say.
const TOKENS_MAX: usize = 10_000_000;
/// How much of a token's end is hashed: an ES256 signature. Only signed tokens get into the cache, so nobody can choose what
/// is hashed, and the hash is keyed besides.
const HASHED_BYTES: usize = 86;

/// Verified tokens, bounded.
pub(crate) struct TokenCache(Option<Cache<Token, Entry, Kilobytes, RandomState>>);

/// What was found out about a token.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) claims: Arc<Verified<Claims>>,
    /// Which of the verifier's issuers.
    pub(crate) issuer: usize,
    /// Which of the issuer's key sets.
    pub(crate) generation: u64,
    valid_from: Timestamp,
    /// `exp` and the leeway: from this moment on the token is no good.
    valid_until: Timestamp,
}

impl Entry {
    pub(crate) fn new(claims: Arc<Verified<Claims>>, rules: &Rules, issuer: usize, generation: u64) -> Self {
        let leeway = rules.leeway.duration();
        let starts = claims.not_before().into_iter().chain(claims.issued_at()).max();
        let valid_from = starts.map_or(Timestamp::from_unix_microseconds(i64::MIN), |starts| starts - leeway);
        let valid_until = claims.expires_at() + leeway;
        Self { claims, issuer, generation, valid_from, valid_until }
    }

    /// The times are looked at again each time: a clock can be set back, too.
    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.valid_from <= now && now < self.valid_until
    }
}

impl TokenCache {
    /// A cache for this many tokens of a kilobyte.
    pub(crate) fn new(tokens_max: usize) -> Self {
        let tokens_max = tokens_max.min(TOKENS_MAX);
        let capacity = u64::try_from(tokens_max).unwrap_or(u64::MAX);
        let cache = || Cache::with(tokens_max, capacity, Kilobytes, RandomState::new(), DefaultLifecycle::default());
        Self((tokens_max > 0).then(cache))
    }

    pub(crate) fn get(&self, token: &str) -> Option<Entry> {
        self.0.as_ref()?.get(&Lookup(token))
    }

    pub(crate) fn insert(&self, token: &str, entry: Entry) {
        if let Some(cache) = &self.0 {
            cache.insert(Token(token.into()), entry);
        }
    }

    pub(crate) fn remove(&self, token: &str) {
        if let Some(cache) = &self.0 {
            cache.remove(&Lookup(token));
        }
    }

    /// Forgets the tokens of an issuer that were verified with other keys than these.
    pub(crate) fn keep_only(&self, issuer: usize, generation: u64) {
        if let Some(cache) = &self.0 {
            cache.retain(|_, entry| entry.issuer != issuer || entry.generation == generation);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }
}

#[derive(PartialEq, Eq)]
struct Token(Box<str>);

struct Lookup<'a>(&'a str);

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Lookup(&self.0).hash(state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        state.write(bytes.last_chunk::<HASHED_BYTES>().map_or(bytes, <[u8; HASHED_BYTES]>::as_slice));
    }
}

impl Equivalent<Token> for Lookup<'_> {
    fn equivalent(&self, token: &Token) -> bool {
        *self.0 == *token.0
    }
}

/// A token counts as one for each kilobyte begun, so that the number of tokens bounds the memory.
#[derive(Clone)]
struct Kilobytes;

impl Weighter<Token, Entry> for Kilobytes {
    fn weight(&self, token: &Token, _: &Entry) -> u64 {
        u64::try_from(token.0.len().div_ceil(1_024)).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cress_domain::Clock;
    use cress_testkit::{MockClock, TestIssuer};
    use cress_token::verify;

    use super::*;

    fn entry(issuer: &TestIssuer, token: &str, at: Timestamp, generation: u64) -> Entry {
        let claims = verify(token, &issuer.key_set(), &issuer.rules(), at).unwrap();
        Entry::new(Arc::new(claims), &issuer.rules(), 0, generation)
    }

    #[test]
    fn a_token_is_found_by_all_of_it() {
        let (issuer, now, cache) = (TestIssuer::new(), MockClock::default().now(), TokenCache::new(100));
        let token = issuer.token(now);
        cache.insert(&token, entry(&issuer, &token, now, 1));
        assert!(cache.get(&token).is_some());
        // The same end, and so the same hash, but another token.
        for other in [format!("x{token}"), format!("{}{}", "x", &token[1..]), String::new()] {
            assert!(cache.get(&other).is_none(), "{other}");
        }
        cache.remove(&token);
        assert_eq!((cache.get(&token).is_none(), cache.len()), (true, 0));
    }

    #[test]
    fn an_entry_holds_no_longer_than_its_token() {
        let (issuer, now) = (TestIssuer::new(), MockClock::default().now());
        let entry = entry(&issuer, &issuer.token(now), now, 1);
        let second = Duration::from_secs(1);
        for (at, holds) in [
            (now - 31 * second, false),
            (now - 30 * second, true),
            (now, true),
            (now + 329 * second, true),
            (now + 330 * second, false),
        ] {
            assert_eq!(entry.holds_at(at), holds, "{at}");
        }
    }

    #[test]
    fn the_cache_is_bounded_and_forgets_old_keys() {
        let (issuer, now, cache) = (TestIssuer::new(), MockClock::default().now(), TokenCache::new(100));
        for generation in 0..300 {
            let token = issuer.token(now);
            cache.insert(&token, entry(&issuer, &token, now, generation));
        }
        assert!((50..=110).contains(&cache.len()), "{}", cache.len());
        cache.keep_only(1, 0);
        assert!(cache.len() > 1);
        cache.keep_only(0, 299);
        assert!(cache.len() <= 1);
    }

    #[test]
    fn no_tokens_are_kept_where_none_are_wanted() {
        let (issuer, now, cache) = (TestIssuer::new(), MockClock::default().now(), TokenCache::new(0));
        let token = issuer.token(now);
        cache.insert(&token, entry(&issuer, &token, now, 1));
        assert!(cache.get(&token).is_none());
    }
}
