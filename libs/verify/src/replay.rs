// SPDX-License-Identifier: Apache-2.0
//! Tokens that pass once (`jti`, RFC 7519 section 4.1.7): an option, off unless it is asked for.
//!
//! It never forgets a token that could still pass: when there is no room for another, the other is refused. Forgetting the oldest
//! instead would let whoever can fill the window replay what it forgot.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cress_domain::Timestamp;

/// Has each token pass once, by its `jti`, which it must have.
///
/// The memory is this process's own: a token passes once at each replica of a service, and again after a restart while it lives.
/// Metadata services hand the same token out until it is refreshed, so clients of cress and of SaladCloud cannot use it as it is:
/// this is for issuers whose clients ask for a token for each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayWindow {
    tokens_max: usize,
}

/// Room for no token, or for more than a process ought to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a replay window of 1 to {max} tokens, got {0}", max = ReplayWindow::TOKENS_MAX)]
pub struct ReplayWindowError(usize);

impl ReplayWindow {
    /// Most tokens in a window: about half a gigabyte.
    pub const TOKENS_MAX: usize = 10_000_000;

    /// A window for this many tokens that have not expired yet, some 50 bytes each. It has to hold all that may come during a token's
    /// life: with 300 s and 100 new tokens a second that is 33,000 (leeway included). Beyond that tokens are refused, with 503.
    ///
    /// # Errors
    /// [`ReplayWindowError`].
    pub const fn new(tokens_max: usize) -> Result<Self, ReplayWindowError> {
        if tokens_max == 0 || tokens_max > Self::TOKENS_MAX {
            return Err(ReplayWindowError(tokens_max));
        }
        Ok(Self { tokens_max })
    }
}

/// What the window says to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    First,
    Again,
    NoRoom,
}

/// The tokens that have passed, each until it expires.
pub(crate) struct PassedTokens {
    tokens_max: usize,
    /// Two keyed hashes make 128 bits, so that nobody can find another token with the same ones.
    hashers: [RandomState; 2],
    passed: Mutex<Passed>,
}

#[derive(Default)]
struct Passed {
    tokens: HashSet<u128>,
    by_end: BinaryHeap<Reverse<(Timestamp, u128)>>,
    /// All tokens that end by then may have been forgotten. A clock that is set back does not bring them back.
    forgotten_until: Option<Timestamp>,
}

impl PassedTokens {
    pub(crate) fn new(window: ReplayWindow) -> Self {
        let hashers = [RandomState::new(), RandomState::new()];
        Self { tokens_max: window.tokens_max, hashers, passed: Mutex::default() }
    }

    /// Lets a token of this issuer pass that is good until then, unless it has passed before.
    pub(crate) fn pass(&self, issuer: usize, jti: &str, until: Timestamp, now: Timestamp) -> Passage {
        let token = self.fingerprint(issuer, jti);
        let mut passed = self.passed();
        passed.forget(now);
        if passed.forgotten_until.is_some_and(|forgotten| until <= forgotten) || passed.tokens.contains(&token) {
            return Passage::Again;
        }
        if passed.tokens.len() >= self.tokens_max {
            return Passage::NoRoom;
        }
        passed.tokens.insert(token);
        passed.by_end.push(Reverse((until, token)));
        Passage::First
    }

    fn fingerprint(&self, issuer: usize, jti: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one((issuer, jti))));
        high << 64 | low
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        // Nothing panics while it is held; what another thread left is whole.
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passed {
    fn forget(&mut self, now: Timestamp) {
        while let Some(Reverse((until, token))) = self.by_end.peek().copied()
            && until <= now
        {
            self.by_end.pop();
            self.tokens.remove(&token);
            self.forgotten_until = self.forgotten_until.max(Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::default() + Duration::from_secs(second)
    }

    #[test]
    fn a_token_passes_once_and_full_is_full() {
        let window = PassedTokens::new(ReplayWindow::new(2).unwrap());
        for (issuer, jti, until, now, expected) in [
            (0, "a", 100, 0, Passage::First),
            (0, "a", 100, 0, Passage::Again),
            (0, "a", 100, 99, Passage::Again),
            (1, "a", 200, 0, Passage::First),
            (0, "b", 300, 50, Passage::NoRoom),
            (0, "b", 300, 99, Passage::NoRoom),
            // The first has expired and makes room; what has expired does not come back with the clock.
            (0, "b", 300, 100, Passage::First),
            (0, "a", 100, 0, Passage::Again),
            (1, "a", 200, 0, Passage::Again),
            (0, "c", 150, 0, Passage::NoRoom),
            (0, "c", 400, 300, Passage::First),
        ] {
            assert_eq!(window.pass(issuer, jti, at(until), at(now)), expected, "{issuer} {jti} until {until} at {now}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let window = PassedTokens::new(ReplayWindow::new(100).unwrap());
        for number in 0..10_000_u64 {
            window.pass(0, &number.to_string(), at(number + 50), at(number));
        }
        let passed = window.passed();
        assert!(passed.tokens.len() <= 100 && passed.by_end.len() == passed.tokens.len(), "{}", passed.tokens.len());
    }

    #[test]
    fn windows_have_bounds() {
        for bad in [0, ReplayWindow::TOKENS_MAX + 1] {
            assert_eq!(ReplayWindow::new(bad), Err(ReplayWindowError(bad)));
        }
    }
}
