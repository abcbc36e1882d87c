// SPDX-License-Identifier: Apache-2.0
//! What is to be fetched when: each item waits for its time, or is being fetched, never both. It knows no clock and no
//! tokens.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Names one stay of an item in the queue. An answer that comes after the item was taken out, or put in anew, finds
/// nothing under its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

impl Ticket {
    /// The ticket that no item has.
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// Items in the order of their time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    entries: HashMap<Ticket, Entry<T>>,
    waiting: BTreeSet<(Duration, Ticket)>,
    last_ticket: Ticket,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    /// None: it is being fetched.
    due: Option<Duration>,
    failures: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), waiting: BTreeSet::new(), last_ticket: Ticket::NONE }
    }
}

impl<T: Clone> Queue<T> {
    /// Puts an item in.
    pub(super) fn insert(&mut self, item: T, due: Duration) -> Ticket {
        let ticket = Ticket(self.last_ticket.0 + 1);
        self.last_ticket = ticket;
        self.entries.insert(ticket, Entry { item, due: Some(due), failures: 0 });
        self.waiting.insert((due, ticket));
        ticket
    }

    /// Takes an item out for good, whether it waits or is being fetched.
    pub(super) fn remove(&mut self, ticket: Ticket) {
        if let Some(Entry { due: Some(due), .. }) = self.entries.remove(&ticket) {
            self.waiting.remove(&(due, ticket));
        }
    }

    /// The items that are due, the longest due first, at most so many; from now on they are being fetched. If there is
    /// one, those that are due `ahead` of time and did not fail come along.
    pub(super) fn take(&mut self, now: Duration, ahead: Duration, max: usize) -> Vec<(Ticket, T)> {
        if self.first_due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let in_time = self.waiting.range(..=(now + ahead, Ticket(u64::MAX)));
        let comes_along = |(due, ticket): &&(Duration, Ticket)| *due <= now || self.failures(*ticket) == Some(0);
        let taken: Vec<_> = in_time.filter(comes_along).take(max).copied().collect();
        taken.into_iter().filter_map(|(due, ticket)| self.start(due, ticket)).collect()
    }

    fn start(&mut self, due: Duration, ticket: Ticket) -> Option<(Ticket, T)> {
        self.waiting.remove(&(due, ticket));
        let entry = self.entries.get_mut(&ticket)?;
        entry.due = None;
        Some((ticket, entry.item.clone()))
    }

    /// Has an item wait again until `due`, with this many failures behind it. Nothing happens if it was taken out.
    pub(super) fn put_back(&mut self, ticket: Ticket, due: Duration, failures: u32) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        if let Some(earlier) = entry.due.replace(due) {
            self.waiting.remove(&(earlier, ticket));
        }
        entry.failures = failures;
        self.waiting.insert((due, ticket));
    }

    /// Has a waiting item be due now, its failures forgotten.
    pub(super) fn hasten(&mut self, ticket: Ticket, now: Duration) {
        if self.entries.get(&ticket).is_some_and(|entry| entry.due.is_some()) {
            self.put_back(ticket, now, 0);
        }
    }

    /// How often in a row fetching the item failed; none if it was taken out.
    pub(super) fn failures(&self, ticket: Ticket) -> Option<u32> {
        self.entries.get(&ticket).map(|entry| entry.failures)
    }

    /// When the first waiting item is due.
    pub(super) fn first_due(&self) -> Option<Duration> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// All items, in no order.
    pub(super) fn items(&self) -> impl Iterator<Item = (Ticket, &T)> {
        self.entries.iter().map(|(ticket, entry)| (*ticket, &entry.item))
    }

    /// The items that are being fetched.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = Ticket> {
        self.entries.iter().filter(|(_, entry)| entry.due.is_none()).map(|(ticket, _)| *ticket)
    }
}
