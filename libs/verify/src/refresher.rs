// SPDX-License-Identifier: Apache-2.0
//! The task that keeps one issuer's keys fresh. It alone fetches them, so that there is never more than one fetch at a time.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::Clock;

use crate::FetchError;
use crate::issuer_keys::{Change, IssuerKeys};
use crate::source::{Fetched, Fetcher};
use crate::token_cache::TokenCache;

/// Shortest time from the start of one fetch to the start of the next, whatever is asked for.
const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Longest time to the next attempt after failed ones.
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(15);
/// Longest sleep between two looks at the clock, since the timer stands still while the machine sleeps.
const SLEEP_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Refresher {
    pub(crate) keys: Arc<IssuerKeys>,
    /// Which of the verifier's issuers.
    pub(crate) issuer: usize,
    pub(crate) cache: Arc<TokenCache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fetcher: Fetcher,
}

impl Refresher {
    /// Fetches at once, then ahead of time or when somebody asks for it, for ever.
    pub(crate) async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let started = self.clock.monotonic();
            self.keys.fetch_started();
            let outcome = self.fetcher.fetch().await;
            let next_in = match outcome {
                Ok(fetched) => {
                    failures = 0;
                    self.succeeded(fetched, started)
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.failed(error, failures)
                }
            };
            self.wait(started, next_in).await;
        }
    }

    /// The keys are as old as the question, not as the answer.
    fn succeeded(&self, fetched: Fetched, started: Duration) -> Duration {
        self.keys.confirm(started);
        if let Some(change) = fetched.set.and_then(|set| self.keys.install(set)) {
            self.cache.keep_only(self.issuer, change.generation);
            self.report(&change);
        }
        self.keys.fetch_finished(None);
        fetched.next_in
    }

    fn failed(&self, error: FetchError, failures: u32) -> Duration {
        tracing::warn!(
            issuer = self.keys.issuer().as_str(),
            source = self.fetcher.name(),
            failures,
            error = error.to_string(),
            "the issuer's keys could not be fetched; the last good ones stay in use"
        );
        self.keys.fetch_finished(Some(error));
        let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
        FETCH_INTERVAL_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_INTERVAL_MAX)
    }

    fn report(&self, change: &Change) {
        tracing::info!(
            issuer = self.keys.issuer().as_str(),
            source = self.fetcher.name(),
            added = ?change.added.iter().map(|kid| kid.as_str()).collect::<Vec<_>>(),
            removed = ?change.removed.iter().map(|kid| kid.as_str()).collect::<Vec<_>>(),
            "the issuer's keys changed"
        );
    }

    /// Waits until a fetch is due, or asked for and allowed.
    async fn wait(&self, started: Duration, next_in: Duration) {
        let due = started.saturating_add(next_in);
        while let Some(remaining) = self.remaining(due) {
            tokio::select! {
                () = tokio::time::sleep(remaining) => {}
                () = self.keys.wanted() => break,
            }
        }
        while let Some(remaining) = self.remaining(started.saturating_add(FETCH_INTERVAL_MIN)) {
            tokio::time::sleep(remaining).await;
        }
    }

    fn remaining(&self, due: Duration) -> Option<Duration> {
        let remaining = due.saturating_sub(self.clock.monotonic());
        (!remaining.is_zero()).then(|| remaining.min(SLEEP_MAX))
    }
}
