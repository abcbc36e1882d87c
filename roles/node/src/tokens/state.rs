// SPDX-License-Identifier: Apache-2.0
//! What changes under the cache's lock: which tokens are to be fetched, and whether control can be asked at all.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::limits::ISSUE_BATCH_MAX;

use super::limits::{BATCHES_MAX, FAILURES_WORTH_WAITING, GATHER_AHEAD, SLEEP_MAX, UNASKED_LOOK_MIN};
use super::pace;
use super::queue::{Queue, Ticket};
use super::slot::Slot;
use crate::imds::TokenAnswer;

/// Tokens that are asked for together.
pub(super) type Asked = Vec<(Ticket, Arc<Slot>)>;

/// The state under the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: Queue<Arc<Slot>>,
    pub(super) gate: Gate,
    /// Without keys nothing could be checked, so nothing is asked for; control sends them before the first assignment.
    pub(super) has_keys: bool,
    /// When the task that fetches will look again by itself.
    wakes_at: Duration,
}

/// Whether control can be asked: when a call fails, all further ones wait together.
#[derive(Debug, Default)]
pub(super) struct Gate {
    failures: u32,
    failed_at: Duration,
    opens_at: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self { queue: Queue::default(), gate: Gate::default(), has_keys: false, wakes_at: Duration::MAX }
    }
}

impl State {
    /// Has a token fetched at this time. What is still on its way for the same place is not wanted any more.
    pub(super) fn enqueue(&mut self, slot: &Arc<Slot>, due: Duration) {
        self.forget(slot);
        slot.set_ticket(self.queue.insert(Arc::clone(slot), due));
    }

    /// Stops fetching for this place.
    pub(super) fn forget(&mut self, slot: &Slot) {
        self.queue.remove(slot.ticket());
        slot.set_ticket(Ticket::NONE);
    }

    /// What to say while there is no token for a place that is in the queue.
    pub(super) fn without_token(&self, slot: &Slot) -> TokenAnswer {
        let failures = self.queue.failures(slot.ticket()).unwrap_or_default();
        if self.gate.is_failing() || failures > FAILURES_WORTH_WAITING {
            TokenAnswer::Unavailable
        } else {
            TokenAnswer::Pending
        }
    }

    /// The next tokens to ask for, if any is due and control may be asked.
    pub(super) fn take_batch(&mut self, now: Duration, calls: usize) -> Asked {
        if !self.has_keys || calls >= self.gate.calls_max() || now < self.gate.opens_at {
            return Vec::new();
        }
        loop {
            let taken = self.queue.take(now, GATHER_AHEAD, ISSUE_BATCH_MAX);
            let nothing_due = taken.is_empty();
            let (unasked, wanted): (Asked, Asked) = taken.into_iter().partition(|(_, slot)| slot.is_unasked(now));
            unasked.into_iter().for_each(|(ticket, slot)| self.let_rest(ticket, &slot, now));
            if nothing_due || !wanted.is_empty() {
                return wanted;
            }
        }
    }

    /// Nobody asks for it, so it is not refreshed. It is served until it expires, and looked at again ever more often on the
    /// way there: if someone asks meanwhile, it is refreshed after all.
    fn let_rest(&mut self, ticket: Ticket, slot: &Slot, now: Duration) {
        match slot.time_left(now) {
            Some(left) => self.queue.put_back(ticket, now + (left / 2).max(UNASKED_LOOK_MIN), 0),
            None => {
                self.forget(slot);
                slot.drop_token();
            }
        }
    }

    /// How long nothing needs to be done, as far as is known now. A free call, keys and new requests wake the task.
    pub(super) fn sleep_time(&mut self, now: Duration, calls: usize) -> Duration {
        let next = self.queue.first_due().filter(|_| self.has_keys && calls < self.gate.calls_max());
        let sleep = next.map_or(SLEEP_MAX, |due| due.max(self.gate.opens_at).saturating_sub(now).min(SLEEP_MAX));
        self.wakes_at = now + sleep;
        sleep
    }

    /// Whether the task that fetches should have looked by itself: the machine was suspended, and timers do not count that.
    pub(super) fn has_overslept(&self, now: Duration) -> bool {
        self.wakes_at < now
    }
}

impl Gate {
    /// Whether the last call failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Notes that a call sent at `sent` failed, and says whether it is the first in a row. Calls that were under way
    /// together fail together, which counts once.
    pub(super) fn fail(&mut self, sent: Duration, now: Duration, jitter: u16) -> bool {
        if self.is_failing() && sent < self.failed_at {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.failed_at = now;
        self.opens_at = now + pace::retry_after(self.failures, jitter);
        self.failures == 1
    }

    /// Notes that control answered, or can be reached again; whether it could not before.
    pub(super) fn open(&mut self) -> bool {
        std::mem::take(self).is_failing()
    }

    /// One call is enough to find out whether control is back.
    const fn calls_max(&self) -> usize {
        if self.is_failing() { 1 } else { BATCHES_MAX }
    }
}
