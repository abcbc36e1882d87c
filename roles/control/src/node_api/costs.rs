// SPDX-License-Identifier: Apache-2.0
//! Writes the deletion costs that one node reports: all that there are at once, once in a while. The node's reports go on being read
//! meanwhile, however long the store takes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_domain::{InstanceId, MachineId};
use cress_store::control::ControlStore;
use tokio::sync::Notify;

use crate::fleet::{Deed, FeedWaker, FleetView};
use crate::metrics::{Counters, StorePart};

/// When it is looked again whether the node may write.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// Costs in one transaction, so that it does not hold up others for long; the rest comes with the next.
const COSTS_PER_WRITE_MAX: usize = 1_000;

/// Deletion costs that the store does not know yet; never many more than the node has instances.
#[derive(Debug, Default)]
pub(super) struct Costs {
    due: Mutex<HashMap<InstanceId, i32>>,
    added: Notify,
}

/// Who writes them.
pub(super) struct CostWriter {
    pub(super) machine: MachineId,
    pub(super) fleet: FleetView,
    pub(super) store: ControlStore,
    pub(super) waker: FeedWaker,
    pub(super) counters: Counters,
}

impl Costs {
    /// The newest of each instance counts.
    pub(super) fn add(&self, costs: Vec<(InstanceId, i32)>) {
        if !costs.is_empty() {
            self.due().extend(costs);
            self.added.notify_one();
        }
    }

    /// Some of them, to be written now.
    fn take(&self) -> Vec<(InstanceId, i32)> {
        let mut due = self.due();
        let ids: Vec<InstanceId> = due.keys().take(COSTS_PER_WRITE_MAX).copied().collect();
        ids.into_iter().filter_map(|id| due.remove_entry(&id)).collect()
    }

    /// They could not be written: unless a newer one has come, they wait again.
    fn put_back(&self, costs: Vec<(InstanceId, i32)>) {
        let mut due = self.due();
        for (instance, cost) in costs {
            due.entry(instance).or_insert(cost);
        }
    }

    fn due(&self) -> MutexGuard<'_, HashMap<InstanceId, i32>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CostWriter {
    /// Writes until it is dropped.
    pub(super) async fn run(self, costs: &Costs) {
        loop {
            if costs.due().is_empty() {
                costs.added.notified().await;
            } else if self.fleet.may(self.machine, Deed::WriteCosts) {
                self.write(costs).await;
            } else {
                tokio::time::sleep(LOOK_PERIOD).await;
            }
        }
    }

    async fn write(&self, costs: &Costs) {
        let due = costs.take();
        match self.store.set_deletion_costs(self.machine, &due).await {
            Ok(_) => self.waker.wake(),
            Err(error) => {
                self.counters.store_failed(StorePart::reports);
                tracing::debug!(%error, machine = %self.machine, "deletion costs are not stored; trying again");
                costs.put_back(due);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_yields_to_what_is_newer() {
        let costs = Costs::default();
        let [one, other] = [1, 2].map(|byte| InstanceId::from_bytes([byte; 16]));
        costs.add(vec![(one, 1), (other, 2)]);
        costs.add(vec![(one, 3)]);
        let mut taken = costs.take();
        taken.sort_unstable();
        assert_eq!(taken, [(one, 3), (other, 2)]);
        costs.add(vec![(one, 4)]);
        costs.put_back(taken);
        let mut left = costs.take();
        left.sort_unstable();
        assert_eq!(left, [(one, 4), (other, 2)]);
        assert!(costs.take().is_empty());
    }

    #[test]
    fn no_write_is_longer_than_others_can_wait_for() {
        let costs = Costs::default();
        let id = |number: u16| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&number.to_le_bytes());
            InstanceId::from_bytes(bytes)
        };
        costs.add((0..1_500).map(|number| (id(number), 1)).collect());
        assert_eq!([costs.take().len(), costs.take().len(), costs.take().len()], [COSTS_PER_WRITE_MAX, 500, 0]);
    }
}
