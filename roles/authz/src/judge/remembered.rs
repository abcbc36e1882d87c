// SPDX-License-Identifier: Apache-2.0
//! What the rules said of tokens seen before, so that such a request costs two looks into memory.
//!
//! What is remembered belongs to one verified token in memory and is found by where that lies: the token is kept alive with it, so
//! that nothing else can come to lie there. Whether the token still counts is asked of the verifier each time.

use std::hash::RandomState;
use std::sync::{Arc, OnceLock};

use cress_verify::http::VerifiedToken;
use http::HeaderMap;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::rules::HeaderError;

/// Whether the claims pass, and the headers that they make.
type Outcome = Result<(bool, HeaderMap), HeaderError>;

/// Outcomes by token and rule, bounded.
pub(super) struct Remembered(Cache<usize, Arc<OfToken>, UnitWeighter, RandomState>);

struct OfToken {
    token: VerifiedToken,
    by_rule: Box<[OnceLock<Outcome>]>,
}

impl Remembered {
    pub(super) fn new(tokens_max: usize) -> Self {
        let capacity = u64::try_from(tokens_max).unwrap_or(u64::MAX);
        let hasher = RandomState::new();
        Self(Cache::with(tokens_max, capacity, UnitWeighter, hasher, DefaultLifecycle::default()))
    }

    /// The outcome for this token by this rule of so many.
    pub(super) fn outcome(
        &self,
        token: &VerifiedToken,
        rule: usize,
        rules: usize,
        make: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let place = Arc::as_ptr(token).addr();
        let found = self.0.get(&place).filter(|found| Arc::ptr_eq(&found.token, token));
        let of_token = found.unwrap_or_else(|| {
            let of_token =
                Arc::new(OfToken { token: Arc::clone(token), by_rule: (0..rules).map(|_| OnceLock::new()).collect() });
            self.0.insert(place, Arc::clone(&of_token));
            of_token
        });
        match of_token.by_rule.get(rule) {
            Some(outcome) => outcome.get_or_init(make).clone(),
            None => make(),
        }
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remembered").field("tokens", &self.0.len()).finish_non_exhaustive()
    }
}
