// SPDX-License-Identifier: Apache-2.0
//! The process is killed while it writes. What it had reported is there; nothing is there by halves.

use cress_store::control::{ControlStore, PlacementPlan};
use cress_store::{Database, DatabaseUrl};

use crate::child;
use crate::support::{Fleet, Replica, at};

const KILLS: usize = 5;
const WRITES_BEFORE_KILL: usize = 12;
const PLACED: usize = 7;

#[tokio::test]
async fn killed_writers_leave_whole_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let url = DatabaseUrl::sqlite(&path);
    let database = Database::open(&url).await.unwrap();
    let fleet = Fleet::open(&database).await;
    fleet.group("workers").await;
    fleet.node(1).await;
    database.close().await;

    for kill in 0..KILLS {
        let mut writer = child::start("crash::a_writer_that_is_killed", &path);
        let mut reported = 0;
        for _ in 0..WRITES_BEFORE_KILL + kill {
            reported = writer.line().parse().unwrap();
        }
        writer.kill();
        let store = ControlStore::open(&Database::open(&url).await.unwrap()).await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        assert!(snapshot.revision.number() >= reported, "a reported write is lost");
        assert_eq!(snapshot.instances.len() % PLACED, 0, "a plan was carried out by halves");
        let mut replica = Replica::default();
        replica.follow(&store).await;
        assert_eq!(replica, Replica::load(snapshot));
    }
}

/// Only ever does something as the child of the test above.
#[tokio::test]
async fn a_writer_that_is_killed() {
    let Some(path) = child::told() else { return };
    let store = ControlStore::open(&Database::open(&DatabaseUrl::sqlite(path)).await.unwrap()).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let (group, machine) = (snapshot.groups[0].id, snapshot.nodes[0].machine_id);
    let mut end: Vec<_> = snapshot.instances.iter().map(|instance| instance.id).collect();
    let mut revision = snapshot.revision;
    let random = cress_testkit::SeededRandom::new(u64::try_from(revision.number()).unwrap());
    loop {
        let instance = || cress_store::control::NewInstance {
            id: cress_domain::InstanceId::generate(&random),
            container_group_id: group,
            machine_id: machine,
        };
        let place: Vec<_> = (0..PLACED).map(|_| instance()).collect();
        let placed = place.iter().map(|instance| instance.id).collect();
        let plan = PlacementPlan { place, end: std::mem::replace(&mut end, placed) };
        revision = store.apply_placement(&plan, revision, at(1)).await.unwrap();
        child::say(revision);
    }
}
