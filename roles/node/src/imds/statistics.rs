// SPDX-License-Identifier: Apache-2.0
//! What one instance's metadata service has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::answer::Reply;
use super::refusal::Refusal;

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Statistics {
    answered: AtomicU64,
    refused: AtomicU64,
    rate_limited: AtomicU64,
    unavailable: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests answered 2xx.
    pub answered: u64,
    /// Requests answered 4xx, but for 429.
    pub refused: u64,
    /// Requests answered 429.
    pub rate_limited: u64,
    /// Requests answered 5xx, connections not counted.
    pub unavailable: u64,
    /// Connections taken.
    pub connections: u64,
    /// Connections beyond the limit, answered 503 or just closed.
    pub connections_refused: u64,
}

impl Statistics {
    /// The counters now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            answered: self.answered.load(Relaxed),
            refused: self.refused.load(Relaxed),
            rate_limited: self.rate_limited.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            connections: self.connections.load(Relaxed),
            connections_refused: self.connections_refused.load(Relaxed),
        }
    }

    pub(super) fn count(&self, result: &Result<Reply, Refusal>) {
        match result {
            Ok(_) => &self.answered,
            Err(Refusal::RateLimited { .. }) => &self.rate_limited,
            Err(refusal) if refusal.status().is_server_error() => &self.unavailable,
            Err(_) => &self.refused,
        }
        .fetch_add(1, Relaxed);
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn count_refused_connection(&self) {
        self.connections_refused.fetch_add(1, Relaxed);
    }
}
