// SPDX-License-Identifier: Apache-2.0
//! Two replicas want the same thing at the same time: exactly one gets it, and neither fails for want of a lock.

use std::fmt::Debug;
use std::sync::Arc;

use cress_domain::OrganizationId;
use cress_store::control::{ControlStore, JoinOutcome, JoinRefusal, OrganizationRecord, PlacementPlan};
use cress_store::keyring::KeyRingStore;
use cress_store::{StoreError, StoreErrorKind};

use super::keyring::{WORKLOAD, key};
use crate::support::{Fleet, Fresh, at};

const ROUNDS: u8 = 10;

/// Exactly one success, and this kind of error for the other.
fn check<T: Debug>(one: Result<T, StoreError>, two: Result<T, StoreError>, expected: StoreErrorKind) {
    match (one, two) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => assert_eq!(error.kind(), expected, "{error}"),
        both => panic!("expected one success and one {expected:?}, got {both:?}"),
    }
}

pub(crate) async fn one_of_two_swaps_wins(fresh: &Fresh) {
    let first = KeyRingStore::open(&fresh.database).await.unwrap();
    let second = KeyRingStore::open(&fresh.another_replica().await).await.unwrap();
    for _ in 0..ROUNDS {
        let version = first.version(WORKLOAD).await.unwrap();
        let swap = |store: &KeyRingStore, kid: &'static str| {
            let store = store.clone();
            tokio::spawn(async move { store.replace(WORKLOAD, version, &[key(kid, 0)]).await })
        };
        let (one, two) = (swap(&first, "one"), swap(&second, "two"));
        let (one, two) = (one.await.unwrap(), two.await.unwrap());
        let winner = if one.is_ok() { "one" } else { "two" };
        check(one, two, StoreErrorKind::Outdated);
        assert_eq!(second.load(WORKLOAD).await.unwrap().keys, [key(winner, 0)]);
    }
}

pub(crate) async fn one_of_two_plans_wins(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let other = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    for round in 1..=ROUNDS {
        let revision = fleet.store.revision().await.unwrap();
        let plan = || PlacementPlan { place: vec![fleet.instance(group, machine)], end: vec![] };
        let apply = |store: &ControlStore, plan: PlacementPlan| {
            let store = store.clone();
            tokio::spawn(async move { store.apply_placement(&plan, revision, at(1)).await })
        };
        let (one, two) = (apply(&fleet.store, plan()), apply(&other, plan()));
        check(one.await.unwrap(), two.await.unwrap(), StoreErrorKind::Outdated);
        assert_eq!(other.snapshot().await.unwrap().instances.len(), usize::from(round));
    }
}

pub(crate) async fn one_of_two_keys_gets_the_token(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let other = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    for round in 0..ROUNDS {
        let (_, secret) = fleet.token(at(600)).await;
        let join = |store: &ControlStore, key: u8| {
            let (store, request) = (store.clone(), fleet.request(secret, key));
            tokio::spawn(async move { store.join_node(&request, at(0)).await.unwrap() })
        };
        let (one, two) = (join(&fleet.store, 2 * round), join(&other, 2 * round + 1));
        match (one.await.unwrap(), two.await.unwrap()) {
            (JoinOutcome::Joined(_), JoinOutcome::Refused(JoinRefusal::Used))
            | (JoinOutcome::Refused(JoinRefusal::Used), JoinOutcome::Joined(_)) => {}
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(fleet.store.nodes().await.unwrap().len(), usize::from(ROUNDS));
}

pub(crate) async fn one_of_two_names_is_taken(fresh: &Fresh) {
    let first = ControlStore::open(&fresh.database).await.unwrap();
    let second = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    for round in 0..ROUNDS {
        let create = |store: &ControlStore, id: u8| {
            let id = OrganizationId::from_bytes([id; 16]);
            let record = OrganizationRecord { id, name: format!("name-{round}").parse().unwrap() };
            let store = store.clone();
            tokio::spawn(async move { store.create_organization(&record).await })
        };
        let (one, two) = (create(&first, 2 * round), create(&second, 2 * round + 1));
        check(one.await.unwrap(), two.await.unwrap(), StoreErrorKind::Conflict);
    }
}

/// Every writer is served, and no revision is given twice.
pub(crate) async fn writers_wait_for_each_other(fresh: &Fresh) {
    let fleet = Arc::new(Fleet::open(&fresh.database).await);
    let other = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|index| {
            let store = if index % 2 == 0 { fleet.store.clone() } else { other.clone() };
            let group = fleet.new_group(&format!("group-{index}"));
            tokio::spawn(async move { store.create_container_group(&group).await.unwrap() })
        })
        .collect();
    let mut revisions = Vec::new();
    for task in tasks {
        revisions.push(task.await.unwrap().number());
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=40).collect::<Vec<i64>>());
}
