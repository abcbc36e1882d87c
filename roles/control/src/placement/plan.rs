// SPDX-License-Identifier: Apache-2.0
//! From the fleet as it is to what must be placed and ended, by no clock and no store. Instances that may stay are never moved.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use cress_domain::{ContainerGroupId, InstanceId, MachineId, Random};
use cress_store::control::{InstanceRecord, NewInstance, NodeState, PlacementPlan};

use super::fair::{Demand, share};
use super::fleet::Fleet;
use super::spread::Spread;

/// A plan, and what it leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// What is to be placed and ended.
    pub(super) changes: PlacementPlan,
    /// Replicas for which no node has room: they wait for one.
    pub(super) pending: usize,
}

impl Plan {
    /// Leaves the rest to another plan. Endings come first, since what is placed may need their room.
    pub(super) fn limit(&mut self, changes_max: usize) {
        self.changes.end.truncate(changes_max);
        self.changes.place.truncate(changes_max - self.changes.end.len());
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.place.is_empty() && self.changes.end.is_empty()
    }
}

/// What the fleet lacks, and what it has too much of.
pub(super) fn plan(fleet: &Fleet, random: &dyn Random) -> Plan {
    let (kept, end) = sort_out(fleet);
    let demands: Vec<Demand> = fleet
        .groups
        .values()
        .map(|group| Demand {
            group: group.id,
            placed: count(&kept, group.id),
            wanted: replicas(group.definition.replicas),
        })
        .collect();
    let mut spread = Spread::new(&free_nodes(fleet), kept.values().flatten());
    let shares = share(&demands, spread.free());
    let place: Vec<NewInstance> = shares
        .iter()
        .flat_map(|(group, replicas)| spread.place(*group, *replicas).into_iter().map(|machine| (*group, machine)))
        .map(|(container_group_id, machine_id)| NewInstance {
            id: InstanceId::generate(random),
            container_group_id,
            machine_id,
        })
        .collect();
    let missing: usize = demands.iter().map(Demand::missing).sum();
    Plan { pending: missing.saturating_sub(place.len()), changes: PlacementPlan { place, end } }
}

type Kept<'a> = BTreeMap<ContainerGroupId, Vec<&'a InstanceRecord>>;

/// Who stays, by group, and who ends: what has no group or no node that may work, and of what is beyond a group's replicas those
/// with the lowest deletion cost first, then the newest.
fn sort_out(fleet: &Fleet) -> (Kept<'_>, Vec<InstanceId>) {
    let mut kept = Kept::new();
    let mut end = BTreeSet::new();
    for instance in fleet.instances.values() {
        let node = fleet.nodes.get(&instance.machine_id);
        if node.is_some_and(|node| node.state == NodeState::Active) {
            kept.entry(instance.container_group_id).or_default().push(instance);
        } else {
            end.insert(instance.id);
        }
    }
    for (group, instances) in &mut kept {
        let replicas = fleet.groups.get(group).map_or(0, |group| replicas(group.definition.replicas));
        let surplus = instances.len().saturating_sub(replicas);
        if surplus > 0 {
            instances.sort_by_key(|one| (one.deletion_cost, Reverse(one.placed_at), one.id));
            end.extend(instances.drain(..surplus).map(|instance| instance.id));
        }
    }
    (kept, end.into_iter().collect())
}

fn count(kept: &Kept<'_>, group: ContainerGroupId) -> usize {
    kept.get(&group).map_or(0, Vec::len)
}

fn replicas(replicas: u32) -> usize {
    usize::try_from(replicas).unwrap_or(usize::MAX)
}

fn free_nodes(fleet: &Fleet) -> Vec<(MachineId, u32)> {
    let active = fleet.nodes.values().filter(|node| node.state == NodeState::Active);
    active.map(|node| (node.machine_id, node.capacity)).collect()
}
