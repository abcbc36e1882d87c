// SPDX-License-Identifier: Apache-2.0
//! Files that cannot be used, and disks that fail: each has a sentence that an operator can act on.

use std::path::Path;

use cress_store::StoreErrorKind::{Permanent, Temporary};
use cress_store::control::ControlStore;
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, DatabaseUrl, StoreError, StoreErrorKind};

use crate::child;
use crate::support::{Fleet, definition};

async fn open(path: &Path) -> Result<ControlStore, StoreError> {
    ControlStore::open(&Database::open(&DatabaseUrl::sqlite(path)).await?).await
}

#[track_caller]
pub(crate) fn check<T>(result: Result<T, StoreError>, kind: StoreErrorKind, words: &str) {
    match result {
        Ok(_) => panic!("expected an error with {words:?}"),
        Err(error) => {
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}

#[tokio::test]
async fn what_is_no_database_has_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage.db");
    std::fs::write(&garbage, "this is no database, but long enough to look like one".repeat(100)).unwrap();
    check(open(&garbage).await, Permanent, "the file is no SQLite database");
    check(open(&garbage).await, Permanent, &format!("cannot open the database sqlite:{}: ", garbage.display()));
    check(open(directory.path()).await, Permanent, "it is a directory, expected a file");
    check(open(&directory.path().join("no/store.db")).await, Permanent, "its directory does not exist");
    check(open(&garbage.join("store.db")).await, Permanent, "its directory does not exist");
}

#[tokio::test]
async fn a_damaged_file_has_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let database = Database::open(&DatabaseUrl::sqlite(&path)).await.unwrap();
    let fleet = Fleet::open(&database).await;
    fleet.place(fleet.group("workers").await, fleet.node(1).await, 500).await;
    database.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.iter_mut().skip(4_096).for_each(|byte| *byte = 0x5a);
    std::fs::write(&path, bytes).unwrap();
    check(open(&path).await, Permanent, "the database is damaged; restore it from a backup");
}

/// What a hand that was not cress's may leave behind.
#[tokio::test]
async fn an_unreadable_row_is_named() {
    for (set, words) in [
        ("capacity = -1", "the database holds a capacity that cannot be read"),
        ("key_fingerprint = 'x'", "the database holds a key_fingerprint that cannot be read"),
        ("machine_id = 'X'", "the database holds a machine_id that cannot be read"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let fleet = Fleet::open(&Database::open(&DatabaseUrl::sqlite(&path)).await.unwrap()).await;
        fleet.node(1).await;
        let raw = sqlx::AnyPool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE control_nodes SET {set}"))).execute(&raw).await.unwrap();
        check(fleet.store.snapshot().await, Permanent, words);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let url = DatabaseUrl::sqlite(&path);
    let database = Database::open(&url).await.unwrap();
    ControlStore::open(&database).await.unwrap();
    database.close().await;
    sqlx::any::install_default_drivers();
    let raw = sqlx::AnyPool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query("INSERT INTO store_migrations (module, version) VALUES ('control', 99)").execute(&raw).await.unwrap();
    raw.close().await;
    check(open(&path).await, Permanent, "older of its control tables, got 99; a newer cress has used it");
    KeyRingStore::open(&Database::open(&url).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_waited_for_then_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await.unwrap();
    let mut locker = child::start("faults::a_process_that_locks", &path);
    assert_eq!(locker.line(), "locked");
    let revision = store.revision().await;
    assert!(revision.is_ok(), "readers are not held up: {revision:?}");
    let (write, reopen) = tokio::join!(store.prune(crate::support::at(0)), open(&path));
    check(write, Temporary, "the database is locked by another process");
    assert!(reopen.is_ok(), "who has nothing to write needs no lock: {reopen:?}");
    locker.kill();
    store.prune(crate::support::at(0)).await.unwrap();
}

/// Only ever does something as the child of the test above.
#[tokio::test]
async fn a_process_that_locks() {
    let Some(path) = child::told() else { return };
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let _lock = pool.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    child::say("locked");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

#[tokio::test]
async fn a_read_only_file_has_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    open(&path).await.unwrap();
    let script = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
    match child::in_mount_namespace("faults::opens_and_tells", &path, script) {
        Some(said) => assert_eq!(said, [told_at(&path, "its file system is mounted read-only")]),
        // Root may write to any file, so that this shows something only for others.
        None => {
            let mut permissions = path.metadata().unwrap().permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(&path, permissions).unwrap();
            let opened = open(&path).await;
            assert!(opened.is_ok() || opened.unwrap_err().to_string().contains("permission denied"));
        }
    }
}

fn told_at(path: &Path, reason: &str) -> String {
    format!("Permanent: cannot open the database sqlite:{}: {reason}", path.display())
}

/// Only ever does something as the child of the test above.
#[tokio::test]
async fn opens_and_tells() {
    let Some(path) = child::told() else { return };
    if let Err(error) = open(&path).await {
        child::say(format!("{:?}: {error}", error.kind()));
    }
}

#[tokio::test]
async fn a_full_disk_has_a_sentence_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let script = "mount -t tmpfs -o size=4m tmpfs \"$1\"";
    if let Some(said) = child::in_mount_namespace("faults::fills_its_disk", &path, script) {
        assert_eq!(said, ["Temporary: the database's disk is full; free some space on it", "well again"]);
    }
}

/// Only ever does something as the child of the test above.
#[tokio::test]
async fn fills_its_disk() {
    let Some(path) = child::told() else { return };
    let ballast = path.with_file_name("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let database = Database::open(&DatabaseUrl::sqlite(&path)).await.unwrap();
    let fleet = Fleet::open(&database).await;
    let mut definition = definition(1);
    definition.environment.insert("PADDING".into(), "x".repeat(30_000));
    let mut created = 0;
    let error = loop {
        let mut group = fleet.new_group(&format!("group-{created}"));
        group.definition = definition.clone();
        match fleet.store.create_container_group(&group).await {
            Ok(_) => created += 1,
            Err(error) => break error,
        }
    };
    child::say(format!("{:?}: {error}", error.kind()));
    let snapshot = fleet.store.snapshot().await.unwrap();
    assert_eq!((snapshot.groups.len(), snapshot.revision.number()), (created, i64::try_from(created).unwrap()));
    std::fs::remove_file(ballast).unwrap();
    fleet.group("one-more").await;
    child::say("well again");
}

/// What was reported is in the log until it is moved into the file: both are the database, and what lies in the log is not lost.
#[tokio::test]
async fn what_is_still_in_the_log_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("store.db"), directory.path().join("copy.db"));
    let fleet = Fleet::open(&Database::open(&DatabaseUrl::sqlite(&path)).await.unwrap()).await;
    fleet.place(fleet.group("workers").await, fleet.node(1).await, 3).await;
    // As after a crash: nobody has closed it.
    for suffix in ["", "-wal"] {
        let name =
            |path: &Path| path.with_file_name(format!("{}{suffix}", path.file_name().unwrap().to_str().unwrap()));
        std::fs::copy(name(&path), name(&copy)).unwrap();
    }
    let store = open(&copy).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap(), fleet.store.snapshot().await.unwrap());
}
