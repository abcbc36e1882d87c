// SPDX-License-Identifier: Apache-2.0
//! Has a node write its accounts to its disk. It writes all of them and serves nobody meanwhile, so many changes share one such time:
//! whoever asks while one is on its way shares the next, and there is a pause between two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::Instant;

use crate::config::Persistence;
use crate::error::NodeError;
use crate::limits::{SAVE_DELAY, SAVE_PAUSE_MAX, SAVE_PAUSE_MIN, SAVE_TIMEOUT_FACTOR};
use crate::node::Node;
use crate::wire;

/// What one node is asked to write, and has written.
#[derive(Debug, Default)]
pub(crate) struct Saver {
    /// Counts those who asked.
    asked: AtomicU64,
    last: tokio::sync::Mutex<Last>,
    /// Whether there are changes that nobody waits for.
    is_wanted: AtomicBool,
    is_scheduled: AtomicBool,
}

/// The last time that it wrote.
#[derive(Debug, Default)]
struct Last {
    /// It was for all who had asked until then.
    covers: u64,
    failed: Option<NodeError>,
    /// When it may write again.
    next_at: Option<Instant>,
}

impl Saver {
    /// There are changes to be written now and then.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Release);
    }

    /// Whether there are.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }
}

impl Node {
    /// Returns once everything that was done here before the call is on the node's disk.
    pub(crate) async fn saved(&self, persistence: Persistence) -> Result<(), NodeError> {
        let command = match persistence {
            Persistence::None => return Ok(()),
            Persistence::Aclfile => wire::acl("SAVE"),
            Persistence::Rewrite => wire::words(&["CONFIG", "REWRITE"]),
        };
        let ticket = self.saver.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut last = self.saver.last.lock().await;
        if last.covers >= ticket {
            return last.failed.clone().map_or(Ok(()), Err);
        }
        if let Some(next_at) = last.next_at {
            tokio::time::sleep_until(next_at).await;
        }
        let covers = self.saver.asked.load(Ordering::Acquire);
        self.saver.is_wanted.store(false, Ordering::Release);
        let begun = Instant::now();
        let outcome = self.call_within(self.timeout() * SAVE_TIMEOUT_FACTOR, &command).await;
        let took = begun.elapsed();
        last.next_at = Some(Instant::now() + took.clamp(SAVE_PAUSE_MIN, SAVE_PAUSE_MAX));
        last.covers = covers;
        last.failed = outcome.err();
        if last.failed.is_some() {
            self.saver.want();
        }
        last.failed.clone().map_or(Ok(()), Err)
    }

    /// Has changes written soon, without waiting for it.
    pub(crate) fn save_soon(self: &Arc<Self>, persistence: Persistence) {
        if persistence == Persistence::None {
            return;
        }
        self.saver.want();
        if self.saver.is_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let node = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(SAVE_DELAY).await;
            node.saver.is_scheduled.store(false, Ordering::Release);
            if node.saver.is_wanted()
                && let Err(error) = node.saved(persistence).await
            {
                tracing::warn!(%error, "accounts are not on the disk yet; the next maintenance tries again");
            }
        });
    }
}
