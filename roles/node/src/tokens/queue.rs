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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert { after: u64 },
        Take { passed: u64, max: usize },
        PutBack { which: Index, after: u64, failures: u32 },
        Hasten { which: Index },
        Remove { which: Index },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let which = any::<Index>;
        let step = prop_oneof![
            (0_u64..200).prop_map(|after| Step::Insert { after }),
            (0_u64..100, 1_usize..5).prop_map(|(passed, max)| Step::Take { passed, max }),
            (which(), 0_u64..200, 0_u32..3).prop_map(|(which, after, failures)| Step::PutBack {
                which,
                after,
                failures
            }),
            which().prop_map(|which| Step::Hasten { which }),
            which().prop_map(|which| Step::Remove { which }),
        ];
        vec(step, 1..200)
    }

    /// What the queue must know: for each ticket when it is due (none while it is being fetched) and its failures.
    type Model = std::collections::BTreeMap<Ticket, (Option<Duration>, u32)>;

    const AHEAD: Duration = Duration::from_secs(10);

    fn some_ticket(model: &Model, which: &Index) -> Option<Ticket> {
        (!model.is_empty()).then(|| *model.keys().nth(which.index(model.len())).unwrap())
    }

    fn check_taken(model: &Model, taken: &[Ticket], now: Duration, max: usize) -> Result<(), TestCaseError> {
        let waiting = |ticket: &Ticket| model[ticket].0;
        let may_go = |due: Duration, failures: u32| due <= now || (failures == 0 && due <= now + AHEAD);
        let is_due = model.values().any(|(due, _)| due.is_some_and(|due| due <= now));
        prop_assert_eq!(!taken.is_empty(), is_due);
        prop_assert!(taken.len() <= max);
        for ticket in taken {
            let due = waiting(ticket);
            prop_assert!(due.is_some_and(|due| may_go(due, model[ticket].1)), "{ticket:?} was not to be fetched");
        }
        let last = taken.iter().filter_map(waiting).max();
        for (ticket, (due, failures)) in model.iter().filter(|(ticket, _)| !taken.contains(ticket)) {
            let Some(due) = due.filter(|due| is_due && may_go(*due, *failures)) else { continue };
            prop_assert!(taken.len() == max && Some(due) >= last, "{ticket:?} was passed over");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nothing_is_fetched_twice_and_the_longest_due_go_first(steps in steps()) {
            let mut queue = Queue::default();
            let mut model = Model::new();
            let mut now = Duration::from_secs(1_000);
            for step in steps {
                match step {
                    Step::Insert { after } => {
                        let due = now + Duration::from_secs(after);
                        let ticket = queue.insert((), due);
                        prop_assert!(model.insert(ticket, (Some(due), 0)).is_none());
                    }
                    Step::Take { passed, max } => {
                        now += Duration::from_secs(passed);
                        let taken: Vec<_> = queue.take(now, AHEAD, max).into_iter().map(|(ticket, ())| ticket).collect();
                        check_taken(&model, &taken, now, max)?;
                        for ticket in taken {
                            model.get_mut(&ticket).unwrap().0 = None;
                        }
                    }
                    Step::PutBack { which, after, failures } => {
                        let Some(ticket) = some_ticket(&model, &which) else { continue };
                        let due = now + Duration::from_secs(after);
                        queue.put_back(ticket, due, failures);
                        model.insert(ticket, (Some(due), failures));
                    }
                    Step::Hasten { which } => {
                        let Some(ticket) = some_ticket(&model, &which) else { continue };
                        queue.hasten(ticket, now);
                        if model[&ticket].0.is_some() {
                            model.insert(ticket, (Some(now), 0));
                        }
                    }
                    Step::Remove { which } => {
                        let Some(ticket) = some_ticket(&model, &which) else { continue };
                        queue.remove(ticket);
                        queue.put_back(ticket, now, 0);
                        model.remove(&ticket);
                    }
                }
                prop_assert_eq!(queue.first_due(), model.values().filter_map(|(due, _)| *due).min());
                prop_assert_eq!(queue.items().count(), model.len());
                prop_assert_eq!(queue.in_flight().count(), model.values().filter(|(due, _)| due.is_none()).count());
                for (ticket, (_, failures)) in &model {
                    prop_assert_eq!(queue.failures(*ticket), Some(*failures));
                }
            }
        }
    }
}
