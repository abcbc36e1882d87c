// SPDX-License-Identifier: Apache-2.0
//! Who showed a token before.
//!
//! What is remembered belongs to one verified token in memory and is found by where that lies: the token is kept alive with it, so
//! that nothing else can come to lie there. Whether the token still counts is asked of the verifier each time.

use std::hash::RandomState;
use std::sync::Arc;

use cress_verify::http::VerifiedToken;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::Caller;

/// Callers by their tokens, bounded.
pub(super) struct Remembered(Cache<usize, Arc<Caller>, UnitWeighter, RandomState>);

impl Remembered {
    pub(super) fn new(tokens_max: u32) -> Self {
        let capacity = u64::from(tokens_max);
        let estimate = usize::try_from(tokens_max).unwrap_or(usize::MAX);
        Self(Cache::with(estimate, capacity, UnitWeighter, RandomState::new(), DefaultLifecycle::default()))
    }

    pub(super) fn get(&self, token: &VerifiedToken) -> Option<Arc<Caller>> {
        self.0.get(&place(token)).filter(|caller| Arc::ptr_eq(&caller.claims, token))
    }

    pub(super) fn keep(&self, caller: &Arc<Caller>) {
        self.0.insert(place(&caller.claims), Arc::clone(caller));
    }
}

fn place(token: &VerifiedToken) -> usize {
    Arc::as_ptr(token).addr()
}
