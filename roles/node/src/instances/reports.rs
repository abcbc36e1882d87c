// SPDX-License-Identifier: Apache-2.0
//! What is to be reported to control: the newest facts of each instance, however often they change in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cress_api::node_protocol::InstanceReport;
use cress_domain::InstanceId;
use tokio::sync::Notify;

/// The facts to report.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    all: BTreeMap<InstanceId, InstanceReport>,
    unsent: BTreeSet<InstanceId>,
}

impl Reports {
    pub(super) fn set(&self, id: InstanceId, report: InstanceReport) {
        let mut book = self.book();
        if book.all.get(&id) != Some(&report) {
            book.all.insert(id, report);
            book.unsent.insert(id);
            self.changed.notify_one();
        }
    }

    /// Control ended the instance itself, so there is nothing to tell.
    pub(super) fn remove(&self, id: InstanceId) {
        let mut book = self.book();
        book.all.remove(&id);
        book.unsent.remove(&id);
    }

    /// Everything, for a control that knows nothing yet.
    pub(crate) fn take_all(&self) -> Vec<InstanceReport> {
        let mut book = self.book();
        book.unsent.clear();
        book.all.values().cloned().collect()
    }

    /// What has changed since something was taken last.
    pub(crate) fn take_changed(&self) -> Vec<InstanceReport> {
        let mut book = self.book();
        let unsent = std::mem::take(&mut book.unsent);
        unsent.iter().filter_map(|id| book.all.get(id).cloned()).collect()
    }

    /// Resolves when something has changed since something was taken last; sometimes also when nothing has. For one
    /// caller at a time.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(restarts: u32) -> InstanceReport {
        InstanceReport { restarts, ..InstanceReport::default() }
    }

    #[tokio::test]
    async fn only_the_newest_facts_are_told_and_only_once() {
        let (one, two) = (InstanceId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]));
        let reports = Reports::default();
        reports.set(one, report(1));
        reports.set(one, report(2));
        reports.set(two, report(3));
        reports.changed().await;
        assert_eq!(reports.take_changed(), [report(2), report(3)]);
        assert_eq!(reports.take_changed(), []);
        reports.set(one, report(2));
        assert_eq!(reports.take_changed(), []);
        reports.set(one, report(4));
        reports.remove(two);
        assert_eq!(reports.take_all(), [report(4)]);
        assert_eq!(reports.take_changed(), []);
    }
}
