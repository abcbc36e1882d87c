// SPDX-License-Identifier: Apache-2.0
//! Properties that every plan has, for any fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cress_domain::{ContainerGroupId, InstanceId, MachineId, OrganizationId, ProjectId, Timestamp};
use cress_store::KeyFingerprint;
use cress_store::control::{GroupRecord, InstanceRecord, NodeRecord, NodeState};
use cress_testkit::SeededRandom;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::fleet::Fleet;
use super::plan::{Plan, plan};

fn id16(number: usize) -> [u8; 16] {
    (number as u128).to_be_bytes()
}

fn group(number: usize, replicas: u32) -> Arc<GroupRecord> {
    Arc::new(GroupRecord {
        id: ContainerGroupId::from_bytes(id16(number)),
        name: "demo".parse().unwrap(),
        project_id: ProjectId::from_bytes([0; 16]),
        project_name: "default".parse().unwrap(),
        organization_id: organization(number % ORGANIZATIONS),
        organization_name: "acme".parse().unwrap(),
        definition: serde_json::from_str(&format!(r#"{{"replicas":{replicas},"command":["true"]}}"#)).unwrap(),
    })
}

/// Groups belong to these in turn.
const ORGANIZATIONS: usize = 3;

fn organization(number: usize) -> OrganizationId {
    OrganizationId::from_bytes(id16(number))
}

fn may_run(fleet: &Fleet, machine: MachineId, group: ContainerGroupId) -> bool {
    let organizations = fleet.nodes[&machine].organizations.as_ref();
    organizations.is_none_or(|organizations| organizations.contains(&fleet.groups[&group].organization_id))
}

/// Each node for these organizations alone, if there are any.
fn bounded(mut fleet: Fleet, bounds: &[Option<BTreeSet<usize>>]) -> Fleet {
    for (node, bounds) in fleet.nodes.values_mut().zip(bounds) {
        node.organizations =
            bounds.as_ref().map(|numbers| numbers.iter().map(|number| organization(*number)).collect());
    }
    fleet
}

fn some_bounds() -> impl Strategy<Value = Vec<Option<BTreeSet<usize>>>> {
    let organizations = btree_set(0..ORGANIZATIONS, 0..=ORGANIZATIONS);
    vec(prop_oneof![1 => Just(None), 1 => organizations.prop_map(Some)], 6)
}

fn node(number: usize, capacity: u32, state: NodeState) -> NodeRecord {
    NodeRecord {
        machine_id: MachineId::from_bytes(id16(number)),
        name: "node".to_owned(),
        key_fingerprint: KeyFingerprint::from_bytes([0; 32]),
        capacity,
        capacity_max: None,
        organizations: None,
        state,
        enrolled_at: Timestamp::default(),
        boot_id: None,
        boot_id_before: None,
        duplicated_at: None,
        certificate_not_after: Timestamp::default(),
    }
}

fn instance(number: usize, (group, machine): (usize, usize), cost: i32, placed_at: i64) -> InstanceRecord {
    InstanceRecord {
        id: InstanceId::from_bytes(id16(number)),
        container_group_id: ContainerGroupId::from_bytes(id16(group)),
        machine_id: MachineId::from_bytes(id16(machine)),
        deletion_cost: cost,
        placed_at: Timestamp::from_unix_microseconds(placed_at),
    }
}

fn fleet_of(groups: &[u32], nodes: &[(u32, NodeState)], instances: Vec<InstanceRecord>) -> Fleet {
    let groups = groups.iter().enumerate().map(|(number, replicas)| group(number, *replicas));
    let nodes = nodes.iter().enumerate().map(|(number, (capacity, state))| node(number, *capacity, *state));
    Fleet {
        groups: groups.map(|group| (group.id, group)).collect(),
        nodes: nodes.map(|node| (node.machine_id, node)).collect(),
        instances: instances.into_iter().map(|instance| (instance.id, instance)).collect(),
        ..Fleet::default()
    }
}

/// The fleet after the plan, as the store would have it.
fn carried_out(fleet: &Fleet, plan: &Plan) -> Fleet {
    let mut after = fleet.clone();
    for id in &plan.changes.end {
        assert!(after.instances.remove(id).is_some(), "only what is placed ends");
    }
    for new in &plan.changes.place {
        let placed = InstanceRecord {
            id: new.id,
            container_group_id: new.container_group_id,
            machine_id: new.machine_id,
            deletion_cost: 0,
            placed_at: Timestamp::from_unix_seconds(1),
        };
        assert!(after.instances.insert(new.id, placed).is_none(), "ids are new");
    }
    after
}

fn planned(fleet: &Fleet) -> (Plan, Fleet) {
    let plan = plan(fleet, &SeededRandom::default());
    let after = carried_out(fleet, &plan);
    (plan, after)
}

fn could_work(fleet: &Fleet, instance: &InstanceRecord) -> bool {
    let is_active = fleet.nodes.get(&instance.machine_id).is_some_and(|node| node.state == NodeState::Active);
    let has_group = fleet.groups.contains_key(&instance.container_group_id);
    is_active && (!has_group || may_run(fleet, instance.machine_id, instance.container_group_id))
}

fn on_node(fleet: &Fleet, machine: MachineId) -> usize {
    fleet.instances.values().filter(|instance| instance.machine_id == machine).count()
}

fn of_group(fleet: &Fleet, group: ContainerGroupId) -> usize {
    fleet.instances.values().filter(|instance| instance.container_group_id == group).count()
}

fn some_fleet() -> impl Strategy<Value = Fleet> {
    let groups = vec(0_u32..12, 0..6);
    let state = prop_oneof![4 => Just(NodeState::Active), 1 => Just(NodeState::Banned)];
    let nodes = vec((0_u32..10, state), 0..6);
    // Groups and nodes that are gone, too.
    let instances = vec((0_usize..7, 0_usize..7, -2_i32..3, 0_i64..4), 0..40);
    (groups, nodes, instances, some_bounds()).prop_map(|(groups, nodes, instances, bounds)| {
        let instances = instances
            .into_iter()
            .enumerate()
            .map(|(number, (group, machine, cost, placed_at))| instance(number, (group, machine), cost, placed_at));
        bounded(fleet_of(&groups, &nodes, instances.collect()), &bounds)
    })
}

proptest! {
    #[test]
    fn a_plan_is_complete_and_a_second_one_is_empty(fleet in some_fleet()) {
        let (_, after) = planned(&fleet);
        let (again, _) = planned(&after);
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn nothing_is_placed_where_there_is_no_room_or_no_right_to_work(fleet in some_fleet()) {
        let (plan, after) = planned(&fleet);
        for new in &plan.changes.place {
            let node = &fleet.nodes[&new.machine_id];
            prop_assert_eq!(node.state, NodeState::Active);
            prop_assert!(on_node(&after, new.machine_id) <= node.capacity as usize);
            prop_assert!(fleet.groups.contains_key(&new.container_group_id));
        }
        for instance in after.instances.values() {
            prop_assert_eq!(fleet.nodes.get(&instance.machine_id).map(|node| node.state), Some(NodeState::Active));
            prop_assert!(fleet.groups.contains_key(&instance.container_group_id));
            prop_assert!(may_run(&fleet, instance.machine_id, instance.container_group_id));
        }
    }

    #[test]
    fn nodes_for_some_take_nothing_from_the_others(
        wanted in vec(0_u32..12, 1..6), capacities in vec(0_u32..10, 1..6), bounds in some_bounds()
    ) {
        let nodes: Vec<_> = capacities.iter().map(|capacity| (*capacity, NodeState::Active)).collect();
        let fleet = bounded(fleet_of(&wanted, &nodes, Vec::new()), &bounds);
        let mut without = fleet.clone();
        without.nodes.retain(|_, node| node.organizations.is_none());
        let ((_, after), (_, before)) = (planned(&fleet), planned(&without));
        for group in fleet.groups.keys() {
            prop_assert!(of_group(&after, *group) >= of_group(&before, *group));
        }
    }

    #[test]
    fn every_group_has_its_replicas_unless_every_node_for_it_is_full(fleet in some_fleet()) {
        let (plan, after) = planned(&fleet);
        let mut lacking = 0;
        for group in fleet.groups.values() {
            let (placed, wanted) = (of_group(&after, group.id), group.definition.replicas as usize);
            prop_assert!(placed <= wanted);
            lacking += wanted - placed;
            let may = |node: &&NodeRecord| node.state == NodeState::Active && may_run(&fleet, node.machine_id, group.id);
            for node in fleet.nodes.values().filter(may).filter(|_| placed < wanted) {
                prop_assert!(on_node(&after, node.machine_id) >= node.capacity as usize);
            }
        }
        prop_assert_eq!(plan.pending, lacking);
    }

    #[test]
    fn a_plan_carried_out_in_parts_ends_up_complete(fleet in some_fleet(), changes_max in 1_usize..5) {
        let (mut fleet, mut parts) = (fleet, 0);
        loop {
            let mut plan = plan(&fleet, &SeededRandom::new(parts));
            plan.limit(changes_max);
            if plan.is_empty() {
                break;
            }
            let before = fleet.clone();
            fleet = carried_out(&fleet, &plan);
            for new in &plan.changes.place {
                prop_assert!(on_node(&fleet, new.machine_id) <= before.nodes[&new.machine_id].capacity as usize);
            }
            parts += 1;
            prop_assert!(parts < 1_000);
        }
    }

    #[test]
    fn what_may_stay_stays(fleet in some_fleet()) {
        let (plan, _) = planned(&fleet);
        let mut ended: BTreeMap<ContainerGroupId, usize> = BTreeMap::new();
        for id in &plan.changes.end {
            let instance = &fleet.instances[id];
            if could_work(&fleet, instance) {
                *ended.entry(instance.container_group_id).or_default() += 1;
            }
        }
        for (group, ended) in ended {
            let wanted = fleet.groups.get(&group).map_or(0, |group| group.definition.replicas as usize);
            let could_stay = fleet.instances.values().filter(|instance| instance.container_group_id == group);
            let could_stay = could_stay.filter(|instance| could_work(&fleet, instance));
            prop_assert_eq!(could_stay.count() - ended, wanted, "only what is beyond the replicas ends");
            prop_assert!(plan.changes.place.iter().all(|new| new.container_group_id != group));
        }
    }

    #[test]
    fn the_cheapest_then_the_newest_go_first(instances in vec((-2_i32..3, 0_i64..4), 1..20), replicas in 0_u32..20) {
        let records = instances.iter().enumerate().map(|(number, (cost, at))| instance(number, (0, 0), *cost, *at));
        let fleet = fleet_of(&[replicas], &[(100, NodeState::Active)], records.collect());
        let (plan, after) = planned(&fleet);
        for ended in plan.changes.end.iter().map(|id| &fleet.instances[id]) {
            for kept in after.instances.values().filter(|kept| fleet.instances.contains_key(&kept.id)) {
                prop_assert!(
                    (ended.deletion_cost, -ended.placed_at.unix_microseconds())
                        <= (kept.deletion_cost, -kept.placed_at.unix_microseconds())
                );
            }
        }
    }

    #[test]
    fn replicas_of_a_new_group_are_spread(replicas in 0_u32..40, capacities in vec(0_u32..12, 1..6)) {
        let nodes: Vec<_> = capacities.iter().map(|capacity| (*capacity, NodeState::Active)).collect();
        let fleet = fleet_of(&[replicas], &nodes, Vec::new());
        let (_, after) = planned(&fleet);
        let most = fleet.nodes.keys().map(|machine| on_node(&after, *machine)).max().unwrap();
        for node in fleet.nodes.values() {
            let here = on_node(&after, node.machine_id);
            prop_assert!(here + 1 >= most || here == node.capacity as usize, "{here} here, {most} elsewhere");
        }
    }

    #[test]
    fn what_is_scarce_is_shared(wanted in vec(0_u32..20, 1..6), capacity in 0_u32..40) {
        let fleet = fleet_of(&wanted, &[(capacity, NodeState::Active)], Vec::new());
        let (_, after) = planned(&fleet);
        let got: Vec<_> = fleet.groups.values().map(|group| (of_group(&after, group.id), group.definition.replicas)).collect();
        let most = got.iter().map(|(got, _)| *got).max().unwrap();
        for (got, wanted) in got {
            prop_assert!(got + 1 >= most || got == wanted as usize);
        }
    }
}

#[test]
fn a_full_node_is_left_for_an_emptier_one() {
    // Each node has one instance of the group; the one that is less full gets the next.
    let busy = (10..18).map(|number| instance(number, (1, 0), 0, 0));
    let placed = [instance(0, (0, 0), 0, 0), instance(1, (0, 1), 0, 0)].into_iter().chain(busy);
    let fleet = fleet_of(&[3, 8], &[(20, NodeState::Active), (4, NodeState::Active)], placed.collect());
    let (plan, _) = planned(&fleet);
    let machines: Vec<_> = plan.changes.place.iter().map(|new| new.machine_id).collect();
    assert_eq!(machines, [MachineId::from_bytes(id16(1))], "9 of 20 is fuller than 1 of 4");
}

#[test]
fn a_hundred_thousand_replicas_are_planned_at_once() {
    let fleet = fleet_of(&[500; 200], &[(150, NodeState::Active); 1_000], Vec::new());
    let (plan, after) = planned(&fleet);
    assert_eq!((plan.changes.place.len(), plan.pending), (100_000, 0));
    let mut loads: BTreeMap<MachineId, usize> = BTreeMap::new();
    for instance in after.instances.values() {
        *loads.entry(instance.machine_id).or_default() += 1;
    }
    assert!(loads.values().all(|load| *load == 100), "all nodes are alike, so they are loaded alike");
    let (again, _) = planned(&after);
    assert!(again.is_empty());
}
