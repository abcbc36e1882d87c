// SPDX-License-Identifier: Apache-2.0
//! How far a connection is, so that each stage has its own deadline. Costs a few relaxed atomic operations a request, and no timer.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;

/// What one connection's parts tell each other. All of them run in the connection's task; the atomics only make it `Sync`.
#[derive(Debug, Default)]
pub(super) struct Progress {
    stage: AtomicU8,
    stalled: AtomicBool,
    /// Grows with each change of the above.
    changes: AtomicU32,
    body_left_unread: AtomicBool,
    refused_with: AtomicU16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Between requests, or before the first.
    Idle,
    /// A part of a request's head has come.
    Head,
    /// A handler runs, or its answer's body is being produced.
    Answering,
    /// The answer is whole but not yet flushed.
    Flushing,
}

impl Progress {
    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Idle,
            1 => Stage::Head,
            2 => Stage::Answering,
            _ => Stage::Flushing,
        }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
        self.changes.fetch_add(1, Relaxed);
    }

    /// Notes whether the peer takes what is written.
    pub(super) fn set_stalled(&self, stalled: bool) {
        if self.stalled.load(Relaxed) != stalled {
            self.stalled.store(stalled, Relaxed);
            self.changes.fetch_add(1, Relaxed);
        }
    }

    /// Notes that a handler did not read the whole body: closing at once would reset the connection under its answer.
    pub(super) fn leave_body_unread(&self) {
        self.body_left_unread.store(true, Relaxed);
    }

    pub(super) fn is_body_left_unread(&self) -> bool {
        self.body_left_unread.load(Relaxed)
    }

    /// Notes the status with which the HTTP library refused a head.
    pub(super) fn refuse_with(&self, status: u16) {
        self.refused_with.store(status, Relaxed);
    }

    /// 0 if there was no refusal.
    pub(super) fn refused_with(&self) -> u16 {
        self.refused_with.load(Relaxed)
    }

    /// How long the connection may stay as it is.
    fn patience(&self, limits: &Limits) -> Option<Duration> {
        match self.stage() {
            Stage::Idle => Some(limits.idle_timeout()),
            Stage::Head => Some(limits.head_timeout()),
            Stage::Answering | Stage::Flushing => self.stalled.load(Relaxed).then(|| limits.write_stall()),
        }
    }
}

/// One lazy timer for all deadlines of a connection: it is moved only to an earlier moment, and looks anew when it fires.
#[derive(Debug)]
pub(super) struct Watchdog {
    timer: Pin<Box<Sleep>>,
    since: Instant,
    seen: u32,
}

impl Watchdog {
    pub(super) fn new(limits: &Limits) -> Self {
        let since = Instant::now();
        Self { timer: Box::pin(sleep_until(since + limits.idle_timeout())), since, seen: 0 }
    }

    /// Ready once the connection has stayed in its stage for too long. To be polled after everything else in the task.
    pub(super) fn poll_expired(&mut self, progress: &Progress, limits: &Limits, context: &mut Context<'_>) -> Poll<()> {
        let changes = progress.changes.load(Relaxed);
        if self.seen != changes {
            self.seen = changes;
            self.since = Instant::now();
        }
        let deadline = progress.patience(limits).map(|patience| self.since + patience);
        if let Some(deadline) = deadline
            && deadline < self.timer.deadline()
        {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => return Poll::Ready(()),
                Some(deadline) => self.timer.as_mut().reset(deadline),
                None => self.timer.as_mut().reset(now + limits.idle_timeout().max(Duration::from_secs(1))),
            }
        }
        Poll::Pending
    }
}
