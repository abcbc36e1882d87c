// SPDX-License-Identifier: Apache-2.0
//! Placement: a plan is carried out whole, once, on the state that it was made for.

use cress_domain::{ContainerGroupId, InstanceId, MachineId};
use cress_store::StoreErrorKind::{Conflict, NotFound, Outdated};
use cress_store::control::{InstanceRecord, PlacementPlan};

use crate::support::{Fleet, Fresh, at, kind};

pub(crate) async fn plans_are_carried_out_whole(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine, banned) = (fleet.group("workers").await, fleet.node(1).await, fleet.node(2).await);
    let old = fleet.place(group, machine, 1).await;
    fleet.store.ban_node(banned, at(0)).await.unwrap();

    let before = fleet.store.revision().await.unwrap();
    let good = fleet.instance(group, machine);
    for (plan, expected) in [
        (PlacementPlan { place: vec![good, fleet.instance(group, banned)], end: old.clone() }, NotFound),
        (
            PlacementPlan { place: vec![good, fleet.instance(group, MachineId::from_bytes([9; 16]))], end: vec![] },
            NotFound,
        ),
        (
            PlacementPlan {
                place: vec![good, fleet.instance(ContainerGroupId::from_bytes([9; 16]), machine)],
                end: vec![],
            },
            NotFound,
        ),
        (PlacementPlan { place: vec![good], end: vec![old[0], InstanceId::from_bytes([9; 16])] }, NotFound),
        (PlacementPlan { place: vec![good, good], end: old.clone() }, Conflict),
    ] {
        assert_eq!(kind(fleet.store.apply_placement(&plan, before, at(1)).await), expected, "{plan:?}");
    }
    assert_eq!(fleet.store.revision().await.unwrap(), before);
    assert_eq!(fleet.store.apply_placement(&PlacementPlan::default(), before, at(1)).await.unwrap(), before);

    let after = fleet.apply(PlacementPlan { place: vec![good], end: old.clone() }).await;
    let changes = fleet.changes_since(before).await;
    let placed = InstanceRecord {
        id: good.id,
        container_group_id: group,
        machine_id: machine,
        deletion_cost: 0,
        placed_at: at(1),
    };
    assert_eq!((changes.revision, &changes.instances[..]), (after, &[placed][..]));
    assert_eq!(changes.instances_ended.iter().map(|ended| ended.id).collect::<Vec<_>>(), old);
    assert_eq!(fleet.store.snapshot().await.unwrap().instances, [placed]);
}

pub(crate) async fn a_stale_plan_is_refused(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    let old = fleet.store.revision().await.unwrap();
    fleet.store.scale(group, 9).await.unwrap();
    let plan = PlacementPlan { place: vec![fleet.instance(group, machine)], end: vec![] };
    assert_eq!(kind(fleet.store.apply_placement(&plan, old, at(1)).await), Outdated);
    assert!(fleet.store.snapshot().await.unwrap().instances.is_empty());
    fleet.apply(plan).await;
}

pub(crate) async fn deletion_costs_are_the_nodes_own(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine, other) = (fleet.group("workers").await, fleet.node(1).await, fleet.node(2).await);
    let ids = fleet.place(group, machine, 2).await;
    let id = ids[0];
    let before = fleet.store.revision().await.unwrap();
    let set = async |machine, costs: &[_]| fleet.store.set_deletion_costs(machine, costs).await.unwrap();
    assert_eq!(set(other, &[(id, 5)]).await, before, "not placed there");
    assert_eq!(set(machine, &[(id, 0), (ids[1], 0)]).await, before, "nothing to write");
    for cost in [i32::MIN, i32::MAX] {
        set(machine, &[(id, cost)]).await;
        assert_eq!(fleet.changes_since(before).await.instances[0].deletion_cost, cost);
    }
    let revision = set(machine, &[(ids[1], 3), (InstanceId::from_bytes([9; 16]), 4), (id, 5)]).await;
    assert_eq!(fleet.store.revision().await.unwrap(), revision);
    assert_eq!(revision.number(), before.number() + 3, "one revision for all of them");
    assert_eq!(fleet.changes_since(before).await.instances.len(), 2);
    let many = fleet.place(group, machine, 601).await;
    let costs: Vec<_> = (1..).zip(&many).map(|(cost, id)| (*id, cost)).collect();
    let before = set(machine, &costs).await;
    assert_eq!(set(machine, &costs).await, before, "all of them are known");
    let stored = fleet.store.snapshot().await.unwrap().instances;
    let stored: std::collections::BTreeMap<_, _> = stored.iter().map(|one| (one.id, one.deletion_cost)).collect();
    assert!(costs.iter().all(|(id, cost)| stored[id] == *cost));
    fleet.store.remove_node(machine, at(1)).await.unwrap();
    let gone = fleet.store.revision().await.unwrap();
    assert_eq!(set(machine, &[(id, 6)]).await, gone);
}

pub(crate) async fn what_nodes_write_often_makes_no_plan_wrong(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    let id = fleet.place(group, machine, 1).await[0];
    let key = cress_store::KeyFingerprint::from_bytes([1; 32]);
    let (_, secret) = fleet.token(at(600)).await;
    let again = fleet.request(secret, 1);
    let planned_at = fleet.store.revision().await.unwrap();
    fleet.store.set_deletion_costs(machine, &[(id, 7)]).await.unwrap();
    let after = fleet.store.revision().await.unwrap();
    fleet.store.record_certificate(machine, key, at(1_000)).await.unwrap();
    fleet.store.join_node(&again, at(2)).await.unwrap();
    fleet.store.join_node(&again, at(3)).await.unwrap();
    assert_eq!(fleet.store.revision().await.unwrap(), after, "nobody goes by the end of a certificate");
    let plan = || PlacementPlan { place: vec![fleet.instance(group, machine)], end: vec![] };
    let placed_at = fleet.store.apply_placement(&plan(), planned_at, at(4)).await.unwrap();
    assert_eq!(kind(fleet.store.apply_placement(&plan(), after, at(4)).await), Outdated, "the first plan came between");

    fleet.store.set_capacity(machine, 1).await.unwrap();
    assert_eq!(kind(fleet.store.apply_placement(&plan(), placed_at, at(5)).await), Outdated, "capacities matter");
    fleet.apply(plan()).await;
}

pub(crate) async fn thousands_are_placed_at_once(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    for count in [249, 250, 251, 2_003] {
        let mut ids = fleet.place(group, machine, count).await;
        ids.sort();
        let placed: Vec<_> =
            fleet.store.snapshot().await.unwrap().instances.iter().map(|instance| instance.id).collect();
        assert!(placed == ids, "{count} were placed wrongly");
        fleet.apply(PlacementPlan { place: vec![], end: ids }).await;
    }
}
