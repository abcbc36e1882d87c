// SPDX-License-Identifier: Apache-2.0
//! Records on their way to the writer: bounded, in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::AuditUnavailable;

/// Most records that wait while new ones are still taken whose writing is waited for.
pub(super) const WAITING_MAX: usize = 16_384;
/// Most records that wait at all: revocations fill the rest. About 40 MiB.
pub(super) const BACKLOG_MAX: usize = 65_536;
/// Most records that are made durable at once.
pub(super) const BATCH_RECORDS_MAX: usize = 1_024;

/// A record that waits.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its members, as a JSON object.
    pub(super) body: String,
    /// Who is told when it is durable, and learns from its being dropped that it is not.
    pub(super) waiter: Option<oneshot::Sender<()>>,
}

/// The records that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// What found the backlog full since the last batch.
    lost: u64,
    is_failing: bool,
    is_closed: bool,
}

/// What is written next.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// How many records were lost before these.
    pub(super) lost: u64,
}

impl Queue {
    /// Takes a record; what is returned resolves when it is durable.
    pub(super) fn push_waiting(&self, body: String) -> Result<oneshot::Receiver<()>, AuditUnavailable> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.ready()?;
        state.entries.push_back(Entry { body, waiter: Some(sender) });
        drop(state);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// Takes a record that nobody waits for. False: it is lost, and counted.
    pub(super) fn push(&self, body: String) -> bool {
        let mut state = self.state();
        if state.is_closed || state.entries.len() >= BACKLOG_MAX {
            state.lost = state.lost.saturating_add(1);
            return false;
        }
        state.entries.push_back(Entry { body, waiter: None });
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Whether a record would be taken now.
    pub(super) fn ready(&self) -> Result<(), AuditUnavailable> {
        self.state().ready()
    }

    /// Why nobody was told.
    pub(super) fn why_dropped(&self) -> AuditUnavailable {
        if self.state().is_closed { AuditUnavailable::Stopping } else { AuditUnavailable::Failing }
    }

    /// The next records, as soon as there are any; none if nothing more can come.
    pub(super) async fn next(&self) -> Option<Batch> {
        loop {
            let arrived = self.arrived.notified();
            let batch = self.take();
            if !batch.is_empty() {
                return Some(batch);
            }
            if self.state().is_closed {
                return None;
            }
            arrived.await;
        }
    }

    /// The next records, or none.
    pub(super) fn take(&self) -> Batch {
        let mut state = self.state();
        let count = state.entries.len().min(BATCH_RECORDS_MAX);
        Batch { entries: state.entries.drain(..count).collect(), lost: std::mem::take(&mut state.lost) }
    }

    /// A sink fails: whoever waits is told, and nobody new waits. The records stay.
    pub(super) fn fail(&self) {
        let mut state = self.state();
        state.is_failing = true;
        state.entries.iter_mut().for_each(|entry| entry.waiter = None);
    }

    /// Every sink can be written again.
    pub(super) fn recover(&self) {
        self.state().is_failing = false;
    }

    /// Nothing more is taken.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.arrived.notify_one();
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().entries.len()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.state().is_failing
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.lost == 0
    }
}

impl State {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        match self {
            Self { is_closed: true, .. } => Err(AuditUnavailable::Stopping),
            Self { is_failing: true, .. } => Err(AuditUnavailable::Failing),
            Self { entries, .. } if entries.len() >= WAITING_MAX => Err(AuditUnavailable::Full),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_are_taken_longer_than_grants_and_what_is_lost_is_counted() {
        let queue = Queue::default();
        let waiters: Vec<_> = (0..WAITING_MAX).map(|_| queue.push_waiting("{}".to_owned()).unwrap()).collect();
        assert_eq!(queue.push_waiting("{}".to_owned()).unwrap_err(), AuditUnavailable::Full);
        for _ in WAITING_MAX..BACKLOG_MAX {
            assert!(queue.push("{}".to_owned()));
        }
        assert!(!queue.push("{}".to_owned()));
        let batch = queue.take();
        assert_eq!((batch.entries.len(), batch.lost), (BATCH_RECORDS_MAX, 1));
        assert_eq!(queue.take().lost, 0);
        drop(waiters);
    }

    #[tokio::test]
    async fn whoever_waits_learns_of_a_failure_at_once_and_the_record_stays() {
        let queue = Queue::default();
        let waiter = queue.push_waiting("{}".to_owned()).unwrap();
        queue.fail();
        assert!(waiter.await.is_err());
        assert_eq!(queue.ready(), Err(AuditUnavailable::Failing));
        assert_eq!(queue.waiting(), 1);
        queue.recover();
        assert_eq!(queue.ready(), Ok(()));
        queue.close();
        assert_eq!(queue.ready(), Err(AuditUnavailable::Stopping));
    }
}
