// SPDX-License-Identifier: Apache-2.0
//! The table itself, as everyone but the feed sees it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use cress_api::admin::InstanceState;
use cress_domain::{Clock, ContainerGroupId, InstanceId, MachineId};
use cress_store::control::{BootId, Revision};
use tokio::sync::Semaphore;

use super::facts::GroupFacts;
use super::node::{Node, NodeFacts, NodeStanding, StreamHandle};
use super::pace::Deed;
use super::report::InstanceReport;
use super::subscription::{StreamEnd, Subscription};
use crate::clock_trust::{ClockOff, ClockTrust};

/// Which instances are placed on which node. Clones are the same table; no reader ever waits for the store.
#[derive(Clone)]
pub(crate) struct FleetView(pub(super) Arc<Table>);

pub(super) struct Table {
    nodes: RwLock<HashMap<MachineId, Arc<Node>>>,
    groups: RwLock<HashMap<ContainerGroupId, Arc<GroupFacts>>>,
    clock: Arc<dyn Clock>,
    clock_trust: ClockTrust,
    stale_after: Duration,
    /// Monotonic microseconds of the last time that the store confirmed the table; 0 before the first.
    confirmed: AtomicU64,
}

/// Why the table is not to be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FleetUnfit {
    /// It is too old.
    #[error(
        "control has not reached its store for more than {} s, so it no longer knows what is placed where; it signs nothing until the store answers",
        .0.as_secs()
    )]
    Stale(Duration),
    /// Nobody knows what time it is.
    #[error("{0}; control signs nothing until then")]
    Clock(#[from] ClockOff),
}

impl FleetView {
    /// An empty table, stale until the feed fills it, and again whenever the feed has failed for `stale_after`.
    #[must_use]
    pub(crate) fn new(clock: Arc<dyn Clock>, stale_after: Duration) -> Self {
        Self(Arc::new(Table {
            nodes: RwLock::default(),
            groups: RwLock::default(),
            clock_trust: ClockTrust::new(Arc::clone(&clock)),
            clock,
            stale_after,
            confirmed: AtomicU64::new(0),
        }))
    }

    /// The instance, if it is placed on this machine.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn assignment(&self, machine: MachineId, instance: InstanceId) -> Option<super::Assignment> {
        self.entry(machine)?.read().instances.get(&instance).cloned()
    }

    /// Looks up many instances of one machine under one lock: for each the facts of its group, or none if it is not placed here.
    #[must_use]
    pub(crate) fn groups_of(
        &self,
        machine: MachineId,
        instances: impl Iterator<Item = Option<InstanceId>>,
    ) -> Vec<Option<Arc<GroupFacts>>> {
        let Some(node) = self.entry(machine) else { return instances.map(|_| None).collect() };
        let state = node.read();
        instances.map(|id| state.instances.get(&id?).map(|assignment| Arc::clone(&assignment.group))).collect()
    }

    /// What is known of a node; none if it is not of the fleet.
    #[must_use]
    pub(crate) fn node(&self, machine: MachineId) -> Option<NodeFacts> {
        Some(self.entry(machine)?.read().facts)
    }

    /// Whether a stream of this node is open, here and now: a node talks to one replica of control at a time.
    #[must_use]
    pub(crate) fn is_connected(&self, machine: MachineId) -> bool {
        self.entry(machine).is_some_and(|node| node.read().stream.is_some())
    }

    /// What the node last said of an instance.
    #[must_use]
    pub(crate) fn report(&self, machine: MachineId, instance: InstanceId) -> Option<InstanceReport> {
        self.entry(machine)?.read().instances.get(&instance)?.report.as_deref().cloned()
    }

    /// Whether a node may do this now, or has done it too often; if it may, that counts. A node that is not of the fleet may nothing.
    #[must_use]
    pub(crate) fn may(&self, machine: MachineId, deed: Deed) -> bool {
        self.entry(machine).is_some_and(|node| node.may(deed))
    }

    /// Whether a node may announce this capacity now: the same as before, or another one if it has not done that too often.
    #[must_use]
    pub(crate) fn may_announce(&self, machine: MachineId, capacity: u32) -> bool {
        let Some(node) = self.entry(machine) else { return false };
        let mut state = node.write();
        if state.announced != Some(capacity) {
            if !node.may(Deed::ChangeCapacity) {
                return false;
            }
            state.announced = Some(capacity);
        }
        true
    }

    /// Whether a node that announces this capacity has it already, as far as its join token allows.
    #[must_use]
    pub(crate) fn has_noted(&self, machine: MachineId, capacity: u32) -> bool {
        let allowed = |facts: NodeFacts| facts.capacity_max.map_or(capacity, |most| capacity.min(most));
        self.node(machine).is_some_and(|facts| facts.capacity == allowed(facts))
    }

    /// Where the node's batches of tokens take their turn. None if it is not of the fleet.
    #[must_use]
    pub(crate) fn batches(&self, machine: MachineId) -> Option<Arc<Semaphore>> {
        Some(Arc::clone(&self.entry(machine)?.batches))
    }

    /// Opens the node's stream; an older one of the same node ends. None if it is not of the fleet, or banned.
    #[must_use]
    pub(crate) fn subscribe(&self, machine: MachineId) -> Option<(Subscription, StreamBefore)> {
        Self::open_stream(self.entry(machine)?)
    }

    pub(super) fn open_stream(node: Arc<Node>) -> Option<(Subscription, StreamBefore)> {
        let handle = Arc::new(StreamHandle::default());
        let before = {
            let mut state = node.write();
            // Removed since it was looked up: nobody would ever cut its stream.
            if state.removed || state.facts.standing == NodeStanding::Banned {
                return None;
            }
            let before = if state.stream.is_some() { StreamBefore::Replaced } else { StreamBefore::None };
            state.cut(StreamEnd::Replaced);
            state.stream = Some(Arc::clone(&handle));
            before
        };
        Some((Subscription::new(node, handle), before))
    }

    /// The node's stream of now is this agent's, as the store has it since a revision; none: since that of the table.
    pub(crate) fn stream_belongs_to(&self, machine: MachineId, boot_id: BootId, noted_at: Option<Revision>) {
        let Some(node) = self.entry(machine) else { return };
        let state = node.read();
        if let Some(stream) = &state.stream {
            stream.belongs_to(boot_id, noted_at.unwrap_or(state.as_of));
        }
    }

    /// Keeps what a node says of its instances. What is not placed on it is ignored: it may just have ended.
    pub(crate) fn note(
        &self,
        machine: MachineId,
        reports: impl Iterator<Item = (InstanceId, InstanceReport, i32)>,
    ) -> Noted {
        let mut noted = Noted::default();
        let Some(node) = self.entry(machine) else { return noted };
        let mut state = node.write();
        for (instance, report, cost) in reports {
            let Some(assignment) = state.instances.get_mut(&instance) else {
                noted.not_placed += 1;
                continue;
            };
            assignment.report = Some(Box::new(report));
            if assignment.deletion_cost != cost {
                noted.costs.push((instance, cost));
            }
        }
        noted
    }

    /// Whether the table may be acted upon.
    ///
    /// # Errors
    /// [`FleetUnfit`] if the store has not confirmed it for too long, or the clock is wrong.
    pub(crate) fn check_fresh(&self) -> Result<(), FleetUnfit> {
        self.0.clock_trust.check()?;
        let confirmed = self.0.confirmed.load(Ordering::Acquire);
        let age = self.0.clock.monotonic().saturating_sub(Duration::from_micros(confirmed));
        if confirmed > 0 && age <= self.0.stale_after { Ok(()) } else { Err(FleetUnfit::Stale(self.0.stale_after)) }
    }

    /// Whether the clock may be gone by.
    pub(crate) fn clock_trust(&self) -> &ClockTrust {
        &self.0.clock_trust
    }

    /// How many nodes, how many of them connected, and how many instances there are.
    #[must_use]
    pub(crate) fn counts(&self) -> FleetCounts {
        let mut counts = FleetCounts::default();
        for node in self.nodes().values() {
            let state = node.read();
            counts.nodes += 1;
            counts.connected += usize::from(state.stream.is_some());
            counts.instances += state.instances.len();
        }
        counts
    }

    /// How many instances are in which state, as their nodes last said; none: nothing that is known.
    #[must_use]
    pub(crate) fn instance_states(&self) -> Vec<(Option<InstanceState>, usize)> {
        let mut states: Vec<(Option<InstanceState>, usize)> = Vec::new();
        for node in self.nodes().values() {
            for assignment in node.read().instances.values() {
                let state = assignment.report.as_ref().and_then(|report| report.state);
                match states.iter_mut().find(|(known, _)| *known == state) {
                    Some((_, count)) => *count += 1,
                    None => states.push((state, 1)),
                }
            }
        }
        states
    }

    /// How long ago the store confirmed the table; none before the first time.
    #[must_use]
    pub(crate) fn age(&self) -> Option<Duration> {
        let confirmed = self.0.confirmed.load(Ordering::Acquire);
        let age = self.0.clock.monotonic().saturating_sub(Duration::from_micros(confirmed));
        (confirmed > 0).then_some(age)
    }

    pub(super) fn entry(&self, machine: MachineId) -> Option<Arc<Node>> {
        self.nodes().get(&machine).map(Arc::clone)
    }

    pub(super) fn nodes(&self) -> RwLockReadGuard<'_, HashMap<MachineId, Arc<Node>>> {
        self.0.nodes.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn nodes_mut(&self) -> RwLockWriteGuard<'_, HashMap<MachineId, Arc<Node>>> {
        self.0.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn groups_mut(&self) -> RwLockWriteGuard<'_, HashMap<ContainerGroupId, Arc<GroupFacts>>> {
        self.0.groups.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called with the monotonic time from before the store was asked.
    pub(super) fn confirm(&self, asked_at: Duration) {
        let microseconds = u64::try_from(asked_at.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.confirmed.store(microseconds, Ordering::Release);
    }
}

/// What came of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Noted {
    /// Instances whose deletion cost is new.
    pub(crate) costs: Vec<(InstanceId, i32)>,
    /// How many were reported that are not placed on the node.
    pub(crate) not_placed: u64,
}

/// Whether opening a stream ended another one of the same node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamBefore {
    /// There was none.
    None,
    /// There was: a reconnection that overtook the end of the old connection, or a second agent with a copy of the node's key.
    Replaced,
}

/// How large the fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FleetCounts {
    /// Nodes, banned ones included.
    pub(crate) nodes: usize,
    /// Nodes with an open stream to this replica.
    pub(crate) connected: usize,
    /// Placed instances.
    pub(crate) instances: usize,
}

impl fmt::Debug for FleetView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FleetView").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
