// SPDX-License-Identifier: Apache-2.0
//! From the fleet as it is to what must be placed and ended, by no clock and no store. Instances that may stay are never moved.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cress_domain::{ContainerGroupId, InstanceId, MachineId, OrganizationId, Random};
use cress_store::control::{GroupRecord, InstanceRecord, NewInstance, NodeState, PlacementPlan};

use super::bounds::Bounds;
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
    let bounds = Bounds::of(fleet);
    let (kept, end) = sort_out(fleet, &bounds);
    let demand = |group: &Arc<GroupRecord>| Demand {
        group: group.id,
        organization: group.organization_id,
        placed: count(&kept, group.id),
        wanted: replicas(group.definition.replicas),
    };
    let mut demands: Vec<Demand> = fleet.groups.values().map(demand).collect();
    let mut spread = Spread::new(&free_nodes(fleet), kept.values().flatten());
    let place: Vec<NewInstance> = fill(&mut demands, &mut spread, &bounds)
        .into_iter()
        .map(|(container_group_id, machine_id)| NewInstance {
            id: InstanceId::generate(random),
            container_group_id,
            machine_id,
        })
        .collect();
    let pending = demands.iter().map(Demand::missing).sum();
    Plan { pending, changes: PlacementPlan { place, end } }
}

type Chosen = Vec<(ContainerGroupId, MachineId)>;

/// Chooses nodes for what is missing. Where nodes that may run everyone's instances cannot take all of it, those that may not are filled
/// first, by whom they are for: so nobody is kept from an open node by someone who has a place elsewhere.
fn fill(demands: &mut [Demand], spread: &mut Spread, bounds: &Bounds<'_>) -> Chosen {
    let missing: usize = demands.iter().map(Demand::missing).sum();
    let is_open = |machine| bounds.is_open(machine);
    if spread.free(is_open) >= missing {
        return fill_round(demands, spread, |_| true, |machine, organization| bounds.allow(machine, organization));
    }
    let mut chosen = Chosen::new();
    for organizations in bounds.sets() {
        let is_theirs = |demand: &Demand| organizations.contains(&demand.organization);
        chosen.extend(fill_round(demands, spread, is_theirs, |machine, _| bounds.is_for(machine, organizations)));
    }
    chosen.extend(fill_round(demands, spread, |_| true, |machine, _| is_open(machine)));
    chosen
}

/// Shares the room on some nodes among some groups. Each of these groups may use each of these nodes, or there is room for all.
fn fill_round(
    demands: &mut [Demand],
    spread: &mut Spread,
    whose: impl Fn(&Demand) -> bool,
    may: impl Fn(MachineId, OrganizationId) -> bool,
) -> Chosen {
    let free = demands.iter().filter(|demand| whose(demand)).map(|demand| demand.organization).collect::<BTreeSet<_>>();
    let free = spread.free(|machine| free.iter().any(|organization| may(machine, *organization)));
    let shares = share(demands.iter().filter(|demand| whose(demand)), free);
    let mut chosen = Chosen::new();
    for demand in demands {
        let Some(replicas) = shares.get(&demand.group) else { continue };
        let machines = spread.place(demand.group, *replicas, |machine| may(machine, demand.organization));
        demand.placed += machines.len();
        chosen.extend(machines.into_iter().map(|machine| (demand.group, machine)));
    }
    chosen
}

type Kept<'a> = BTreeMap<ContainerGroupId, Vec<&'a InstanceRecord>>;

/// Who stays, by group, and who ends: what has no group or no node that may work for it, and of what is beyond a group's replicas those
/// with the lowest deletion cost first, then the newest.
fn sort_out<'a>(fleet: &'a Fleet, bounds: &Bounds<'_>) -> (Kept<'a>, Vec<InstanceId>) {
    let mut kept = Kept::new();
    let mut end = BTreeSet::new();
    for instance in fleet.instances.values() {
        let node = fleet.nodes.get(&instance.machine_id);
        let group = fleet.groups.get(&instance.container_group_id);
        let may = group.is_none_or(|group| bounds.allow(instance.machine_id, group.organization_id));
        if may && node.is_some_and(|node| node.state == NodeState::Active) {
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
