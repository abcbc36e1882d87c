// SPDX-License-Identifier: Apache-2.0
//! How a write in this process makes the table follow at once, instead of at the next poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// How long [`FeedWaker::refreshed`] waits for the store.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);

/// Wakes the feed. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedWaker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    wake: Notify,
    written: Notify,
    polls_begun: AtomicU64,
    /// The number of the last poll that succeeded.
    poll_done: watch::Sender<u64>,
}

/// Whether the table has followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Refreshed {
    /// It holds everything that was committed before the call.
    Yes,
    /// The store did not answer in time; the table follows when it does.
    NotYet,
}

impl FeedWaker {
    /// One for a feed to be made.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets the feed poll now, and placement look at what was written. To be called after each write to the store.
    pub(crate) fn wake(&self) {
        self.0.wake.notify_one();
        self.0.written.notify_one();
    }

    /// Resolves when this process has written to the store; for placement alone, since it wakes one waiter.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }

    /// Wakes the feed and waits until the table holds everything that was committed before this call.
    pub(crate) async fn refreshed(&self) -> Refreshed {
        let target = self.0.polls_begun.load(Ordering::SeqCst).saturating_add(1);
        let mut done = self.0.poll_done.subscribe();
        self.0.wake.notify_one();
        let reached = done.wait_for(|done| *done >= target);
        match tokio::time::timeout(REFRESH_TIMEOUT, reached).await {
            Ok(Ok(_)) => Refreshed::Yes,
            Ok(Err(_)) | Err(_) => Refreshed::NotYet,
        }
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Returns the number of the poll.
    pub(super) fn begin_poll(&self) -> u64 {
        self.0.polls_begun.fetch_add(1, Ordering::SeqCst).saturating_add(1)
    }

    pub(super) fn finish_poll(&self, number: u64) {
        self.0.poll_done.send_replace(number);
    }
}
