// SPDX-License-Identifier: Apache-2.0
//! Everything moves from one engine to the other and back, or nothing does.

use cress_store::control::ControlStore;
use cress_store::copy::copy;
use cress_store::keyring::{HOLDER_SILENCE_MAX, KeyEncryptionKeyHolder, KeyRingStore};
use cress_store::{Database, StoreErrorKind, versions};
use cress_testkit::postgres::Version;

use crate::conformance::keyring::{WORKLOAD, key};
use crate::support::{Fleet, Fresh, Replica, at};
use crate::{postgres, sqlite};

/// A database with rows in every table that a fleet fills, more of one than fit into one statement.
async fn filled() -> (Fresh, Fleet) {
    let fresh = sqlite::fresh().await;
    let fleet = Fleet::open(&fresh.database).await;
    let (group, doomed, machine, banned) =
        (fleet.group("workers").await, fleet.group("doomed").await, fleet.node(1).await, fleet.node(2).await);
    fleet.place(group, machine, 2_003).await;
    fleet.place(doomed, banned, 3).await;
    fleet.store.delete_container_group(doomed, at(2)).await.unwrap();
    fleet.store.ban_node(banned, at(3)).await.unwrap();
    fleet.token(at(600)).await;
    let rings = KeyRingStore::open(&fresh.database).await.unwrap();
    rings.replace(WORKLOAD, Default::default(), &[key("a", 0), key("b", 1)]).await.unwrap();
    (fresh, fleet)
}

async fn copied(from: &Database, to: &Database) -> Vec<cress_store::copy::CopiedTable> {
    let mut told = Vec::new();
    let tables = copy(from, to, at(0), |table| told.push(table.clone())).await.unwrap();
    assert_eq!(told, tables);
    tables
}

#[tokio::test]
async fn there_and_back_nothing_is_lost() {
    for version in [Version::V15, Version::V18] {
        let (source, fleet) = filled().await;
        let (server, back) = (postgres::fresh(version).await, sqlite::fresh().await);
        let there = copied(&source.database, &server.database).await;
        assert!(there.iter().any(|table| table.name == "control_instances" && table.rows == 2_003), "{there:?}");
        assert_eq!(copied(&server.database, &back.database).await, there);
        let before = fleet.store.snapshot().await.unwrap();
        for database in [&server.database, &back.database] {
            let store = ControlStore::open(database).await.unwrap();
            assert_eq!(store.snapshot().await.unwrap(), before);
            let rings = KeyRingStore::open(database).await.unwrap();
            let expected = KeyRingStore::open(&source.database).await.unwrap().load(WORKLOAD).await.unwrap();
            assert_eq!(rings.load(WORKLOAD).await.unwrap(), expected);
            // It goes on from there: those who followed the source follow this one.
            let mut replica = Replica::load(before.clone());
            let fleet = fleet.on(&store);
            fleet.place(before.groups[0].id, before.instances[0].machine_id, 1).await;
            replica.follow(&store).await;
            assert_eq!(replica, Replica::load(store.snapshot().await.unwrap()));
        }
    }
}

#[tokio::test]
async fn what_is_not_empty_is_left_alone() {
    let (source, _) = filled().await;
    for target in [sqlite::fresh().await, postgres::fresh(Version::V15).await] {
        let fleet = Fleet::open(&target.database).await;
        fleet.group("mine").await;
        let before = fleet.store.snapshot().await.unwrap();
        let error = copy(&source.database, &target.database, at(0), |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Permanent);
        assert!(error.to_string().contains("to be empty, got the table control_"), "{error}");
        assert_eq!(fleet.store.snapshot().await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_source_without_its_tables_is_refused() {
    let (empty, target) = (sqlite::fresh().await, postgres::fresh(Version::V15).await);
    let error = copy(&empty.database, &target.database, at(0), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("bring them up to date first"), "{error}");
}

/// As when the operator loses patience.
#[tokio::test]
async fn a_copy_that_is_given_up_leaves_nothing() {
    let (source, _) = filled().await;
    for target in [sqlite::fresh().await, postgres::fresh(Version::V15).await] {
        let (told, heard) = tokio::sync::oneshot::channel::<()>();
        let mut told = Some(told);
        tokio::select! {
            biased;
            _ = heard => {}
            copied = copy(&source.database, &target.database, at(0), |_| drop(told.take())) => panic!("it was not given up: {copied:?}"),
        }
        assert!(versions(&target.database).await.unwrap().iter().all(|module| module.found == 0));
        copied(&source.database, &target.database).await;
    }
}

/// Whoever runs on the source would go on writing there.
#[tokio::test]
async fn a_source_in_use_is_not_copied() {
    let (source, _) = filled().await;
    let rings = KeyRingStore::open(&source.database).await.unwrap();
    let holder = KeyEncryptionKeyHolder { replica: "here".into(), key_encryption_keys: vec![], seen_at: at(0) };
    rings.note_holder(&holder, HOLDER_SILENCE_MAX).await.unwrap();
    let target = sqlite::fresh().await;
    let error = copy(&source.database, &target.database, at(60), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("these processes were heard of in the last 6 minutes: here"), "{error}");
    rings.forget_holder("here").await.unwrap();
    copied(&source.database, &target.database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_meanwhile_is_not_copied() {
    let (source, fleet) = filled().await;
    let target = postgres::fresh(Version::V15).await;
    let mut once = Some(());
    let error = copy(&source.database, &target.database, at(0), |_| {
        if once.take().is_some() {
            let write = async { fleet.group("late").await };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(write));
        }
    });
    let error = error.await.unwrap_err();
    assert!(error.to_string().contains("was changed while it was copied"), "{error}");
    assert!(versions(&target.database).await.unwrap().iter().all(|module| module.found == 0), "nothing was copied");
    copied(&source.database, &target.database).await;
}
