// SPDX-License-Identifier: Apache-2.0
//! A server that goes away, answers late or not at all: the call fails with a sentence, nothing is claimed that did not happen, and
//! the next call works, without anything being opened anew.

use std::time::Duration;

use cress_store::StoreErrorKind::{Outdated, Permanent, Temporary};
use cress_store::control::{ControlStore, JoinOutcome, PlacementPlan};
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, DatabaseUrl, StoreError};
use cress_testkit::TcpProxy;
use cress_testkit::postgres::{Postgres, Version};

use crate::child;
use crate::conformance::keyring::{WORKLOAD, key};
use crate::faults::check;
use crate::support::{Fleet, at, definition, kind};

/// A fleet in a database behind a wire.
struct Wired {
    wire: TcpProxy,
    fleet: Fleet,
    database: Database,
}

impl Wired {
    async fn to(server: &Postgres) -> Self {
        let wire = TcpProxy::to(server.port());
        let url = server.create_database().replace(&server.port().to_string(), &wire.port().to_string());
        let database = Database::open(&url.parse().unwrap()).await.unwrap();
        let fleet = Fleet::open(&database).await;
        Self { wire, fleet, database }
    }

    /// Until it works again: connections that rested while the wire was cut each fail once.
    async fn recovers(&self) {
        recovers(&self.fleet.store).await;
    }
}

async fn recovers(store: &ControlStore) {
    for _ in 0..200 {
        match store.prune(at(0)).await {
            Ok(_) if store.snapshot().await.is_ok() => return,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), Temporary, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store has not recovered");
}

#[tokio::test]
async fn a_cut_wire_fails_the_call_and_the_next_one_works() {
    let wired = Wired::to(Postgres::shared(Version::V15)).await;
    wired.fleet.group("workers").await;
    let before = wired.fleet.store.snapshot().await.unwrap();
    wired.wire.cut();
    check(wired.fleet.store.snapshot().await, Temporary, "the connection to the database");
    check(wired.fleet.store.prune(at(0)).await, Temporary, "the connection to the database");
    wired.wire.mend();
    wired.recovers().await;
    assert_eq!(wired.fleet.store.snapshot().await.unwrap(), before);
}

#[tokio::test]
async fn a_wire_cut_within_a_transaction_leaves_nothing_of_it() {
    let wired = Wired::to(Postgres::shared(Version::V18)).await;
    let (group, machine) = (wired.fleet.group("workers").await, wired.fleet.node(1).await);
    for part in ["UPDATE control_state", "INSERT INTO control_instances", "SELECT name FROM control_nodes"] {
        let before = wired.fleet.store.snapshot().await.unwrap();
        let plan = PlacementPlan { place: (0..5).map(|_| wired.fleet.instance(group, machine)).collect(), end: vec![] };
        // A statement that is prepared already is sent by its number, so that each needs connections that are new.
        wired.wire.cut();
        wired.wire.mend();
        wired.recovers().await;
        wired.wire.lose_answer_to(part);
        let outcome = wired.fleet.store.apply_placement(&plan, before.revision, at(1)).await;
        assert!(wired.wire.has_lost_answer(), "{part} was not sent");
        check(outcome, Temporary, "the connection to the database failed");
        wired.recovers().await;
        assert_eq!(wired.fleet.store.snapshot().await.unwrap(), before, "{part}");
        wired.fleet.store.apply_placement(&plan, before.revision, at(1)).await.unwrap();
    }
}

/// The write took place, but nobody here knows: the error says so, and each caller's way to repeat it is right.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_reported_as_unknown() {
    const UNKNOWN: &str = "it is unknown whether it took place";
    let wired = Wired::to(Postgres::shared(Version::V15)).await;
    let (fleet, wire) = (&wired.fleet, &wired.wire);
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);

    let revision = fleet.store.revision().await.unwrap();
    let plan = PlacementPlan { place: vec![fleet.instance(group, machine)], end: vec![] };
    wire.lose_answer_to("COMMIT\0");
    check(fleet.store.apply_placement(&plan, revision, at(1)).await, Temporary, UNKNOWN);
    wired.recovers().await;
    assert_eq!(kind(fleet.store.apply_placement(&plan, revision, at(1)).await), Outdated, "it was carried out once");
    assert_eq!(fleet.store.snapshot().await.unwrap().instances.len(), 1);

    let (_, secret) = fleet.token(at(600)).await;
    let request = fleet.request(secret, 2);
    wire.lose_answer_to("COMMIT\0");
    check(fleet.store.join_node(&request, at(1)).await, Temporary, UNKNOWN);
    wired.recovers().await;
    match fleet.store.join_node(&request, at(1)).await.unwrap() {
        JoinOutcome::Joined(node) => assert_eq!(node.machine_id, request.new_machine_id, "the same node"),
        refused @ JoinOutcome::Refused(_) => panic!("{refused:?}"),
    }

    let rings = KeyRingStore::open(&wired.database).await.unwrap();
    wire.lose_answer_to("COMMIT\0");
    check(rings.replace(WORKLOAD, Default::default(), &[key("a", 0)]).await, Temporary, UNKNOWN);
    wired.recovers().await;
    assert_eq!(kind(rings.replace(WORKLOAD, Default::default(), &[key("b", 0)]).await), Outdated);
    assert_eq!(rings.load(WORKLOAD).await.unwrap().keys, [key("a", 0)]);
}

/// What a standby that is never there would have to confirm. The server ends such a wait after a while by reporting success.
#[tokio::test]
async fn a_commit_that_no_synchronous_standby_confirms_is_reported_as_unknown() {
    let server = Postgres::start(Version::V15);
    let database = Database::open(&server.create_database().parse().unwrap()).await.unwrap();
    let fleet = Fleet::open(&database).await;
    let revision = fleet.store.revision().await.unwrap();
    server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.sql("postgres", "SELECT pg_reload_conf()");
    let mut waiting = String::new();
    while waiting.trim() != "nobody" {
        waiting = server.sql("postgres", "SHOW synchronous_standby_names");
    }
    let created = fleet.store.create_container_group(&fleet.new_group("workers")).await;
    check(created, Temporary, "it is unknown whether it took place");
    server.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    server.sql("postgres", "SELECT pg_reload_conf()");
    recovers(&fleet.store).await;
    assert!(fleet.store.revision().await.unwrap() > revision, "the server itself had it, as nobody could know");
}

#[tokio::test]
async fn a_late_server_is_waited_for() {
    let wired = Wired::to(Postgres::shared(Version::V15)).await;
    wired.wire.delay(Duration::from_millis(30));
    let (group, machine) = (wired.fleet.group("workers").await, wired.fleet.node(1).await);
    assert_eq!(wired.fleet.place(group, machine, 3).await.len(), 3);
}

/// As when a firewall forgets the connection. The clock jumps, so that nobody waits for the time that the server gets.
#[tokio::test]
async fn a_silent_server_is_given_up() {
    let wired = Wired::to(Postgres::shared(Version::V15)).await;
    wired.wire.hold();
    tokio::time::pause();
    check(wired.fleet.store.snapshot().await, Temporary, "it has not answered for");
    check(wired.fleet.store.prune(at(0)).await, Temporary, "");
    tokio::time::resume();
    wired.wire.mend();
    wired.recovers().await;
}

#[tokio::test]
async fn a_server_that_starts_anew_is_found_again() {
    let mut server = Postgres::start(Version::V15);
    let database = Database::open(&server.create_database().parse().unwrap()).await.unwrap();
    let fleet = Fleet::open(&database).await;
    let group = fleet.group("workers").await;
    fleet.place(group, fleet.node(1).await, 3).await;
    let before = fleet.store.snapshot().await.unwrap();
    server.restart();
    recovers(&fleet.store).await;
    assert_eq!(fleet.store.snapshot().await.unwrap(), before);
    server.kill();
    let url: DatabaseUrl = server.url("postgres").parse().unwrap();
    check(Database::open(&url).await.map(drop), Temporary, &format!("cannot open the database {url}: "));
    server.restart_stopped();
    recovers(&fleet.store).await;
    assert_eq!(fleet.store.snapshot().await.unwrap(), before, "what was reported survives a crash");
}

/// What the server ends by itself has a sentence each: too slow, stopped by an administrator.
#[tokio::test]
async fn what_the_server_ends_has_a_sentence() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let fleet = Fleet::open(&Database::open(&url.parse().unwrap()).await.unwrap()).await;
    let blocker = sqlx::AnyPool::connect(&url).await.unwrap();
    for (end, words) in [
        ("pg_cancel_backend", "the server ended a statement that took too long"),
        ("pg_terminate_backend", "the server ended the connection"),
    ] {
        let mut lock = blocker.begin().await.unwrap();
        sqlx::query("LOCK TABLE control_state").execute(&mut *lock).await.unwrap();
        let write = {
            let store = fleet.store.clone();
            tokio::spawn(async move { store.prune(at(0)).await })
        };
        let mut ended = String::new();
        while ended.trim().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            ended = server.sql(
                url.rsplit('/').next().unwrap(),
                &format!("SELECT {end}(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'cress'"),
            );
        }
        check(write.await.unwrap(), Temporary, words);
        lock.rollback().await.unwrap();
        recovers(&fleet.store).await;
    }
}

#[tokio::test]
async fn a_table_that_is_damaged_or_taken_away_has_a_sentence() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let name = url.rsplit('/').next().unwrap();
    let fleet = Fleet::open(&Database::open(&url.parse().unwrap()).await.unwrap()).await;
    server.sql(name, "ALTER TABLE control_instances RENAME TO gone");
    check(fleet.store.snapshot().await, Permanent, "control_instances");
}

#[tokio::test]
async fn a_standby_takes_no_writes_and_says_so() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let name = url.rsplit('/').next().unwrap();
    let fleet = Fleet::open(&Database::open(&url.parse().unwrap()).await.unwrap()).await;
    // A write that says nothing of itself is refused as on a standby.
    server.sql(name, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '25006'; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON control_state EXECUTE FUNCTION refuse()");
    check(fleet.store.prune(at(0)).await, Temporary, "the database takes no writes: it is a standby");
}

#[tokio::test]
async fn a_full_disk_has_a_sentence_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=110m,mode=755 tmpfs \"$1\"";
    let path = directory.path().join("server");
    if let Some(said) = child::in_mount_namespace("postgres::faults::fills_its_disk", &path, script) {
        assert_eq!(said, ["Temporary: the database's disk is full; free some space on it", "well again"]);
    }
}

/// Only ever does something as the child of the test above.
#[tokio::test]
async fn fills_its_disk() {
    let Some(path) = child::told() else { return };
    std::fs::create_dir(&path).unwrap();
    // No temporary files but what the test itself makes: all of it is on the small disk.
    let server = Postgres::start_at(Version::V15, &path, &["max_wal_size=32MB", "wal_recycle=off"]);
    let fleet = Fleet::open(&Database::open(&server.create_database().parse().unwrap()).await.unwrap()).await;
    let ballast = path.with_file_name("ballast");
    leave_mebibytes(&ballast, 3);
    let mut created = 0;
    let error = loop {
        let mut group = fleet.new_group(&format!("group-{created}"));
        group.definition = definition(1);
        group.definition.environment.insert("PADDING".into(), noise(created));
        match fleet.store.create_container_group(&group).await {
            Ok(_) => created += 1,
            Err(error) => break error,
        }
    };
    child::say(format!("{:?}: {error}", error.kind()));
    std::fs::remove_file(ballast).unwrap();
    recovers(&fleet.store).await;
    let snapshot = fleet.store.snapshot().await.unwrap();
    assert_eq!((snapshot.groups.len(), snapshot.revision.number()), (created, i64::try_from(created).unwrap()));
    fleet.group("one-more").await;
    child::say("well again");
}

/// Fills the disk but for this much.
fn leave_mebibytes(ballast: &std::path::Path, left: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    let block = vec![0; 1 << 20];
    let mut written = 0;
    while file.write_all(&block).is_ok() {
        written += 1;
    }
    file.set_len((written - left) << 20).unwrap();
}

/// Text that cannot be packed.
fn noise(seed: usize) -> String {
    let random = cress_testkit::SeededRandom::new(u64::try_from(seed).unwrap());
    let mut bytes = vec![0; 15_000];
    cress_domain::Random::fill(&random, &mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The types of errors are what callers go by.
#[tokio::test]
async fn nobody_listening_is_temporary() {
    let url: DatabaseUrl = "postgres://me@127.0.0.1:1/cress".parse().unwrap();
    let error: StoreError = Database::open(&url).await.unwrap_err();
    assert_eq!(error.kind(), Temporary, "{error}");
    assert!(error.to_string().starts_with("cannot open the database postgres://me@127.0.0.1:1/cress: "), "{error}");
}
