// SPDX-License-Identifier: Apache-2.0
//! The suite on SQLite, and what is SQLite's own.

use cress_store::control::{ControlStore, Feed, Snapshot};
use cress_store::keyring::{KeyRecord, KeyRingStore};
use cress_store::{Database, DatabaseUrl, Sealed};

use crate::conformance::conformance;
use crate::conformance::keyring::{WORKLOAD, key};
use crate::support::{Fleet, Fresh};

pub(crate) async fn fresh() -> Fresh {
    let keep = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite(keep.path().join("store.db"));
    Fresh { database: Database::open(&url).await.unwrap(), url, _keep: Some(keep) }
}

fn directory_of(fresh: &Fresh) -> &std::path::Path {
    fresh._keep.as_ref().unwrap().path()
}

conformance!(crate::sqlite::fresh);

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let fresh = fresh().await;
    let fleet = Fleet::open(&fresh.database).await;
    fleet.place(fleet.group("workers").await, fleet.node(1).await, 3).await;
    let before = fleet.store.snapshot().await.unwrap();
    fresh.database.close().await;
    assert!(fleet.store.snapshot().await.unwrap_err().to_string().contains("the database is closed"));
    let store = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap(), before);
}

#[tokio::test]
async fn any_path_is_taken_literally() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a b", "q?mode=ro", "h#1", "p%20q", "ü.db", ":memory:"] {
        let path = directory.path().join(name);
        let database = Database::open(&DatabaseUrl::sqlite(&path)).await.unwrap();
        ControlStore::open(&database).await.unwrap();
        assert!(path.metadata().unwrap().len() > 0, "{name} is empty");
        database.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let fresh = fresh().await;
    let _fleet = Fleet::open(&fresh.database).await;
    let files: Vec<_> = directory_of(&fresh).read_dir().unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_file_at_once() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let url = DatabaseUrl::sqlite(directory.path().join("store.db"));
            tokio::spawn(async move { ControlStore::open(&Database::open(&url).await?).await })
        };
        let tasks = [open(), open(), open(), open()];
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}

/// A store restored from a backup may be behind those who ask.
#[tokio::test]
async fn who_knows_more_than_the_store_reloads() {
    let (restored, lost) = (fresh().await, fresh().await);
    let fleet = Fleet::open(&lost.database).await;
    fleet.group("workers").await;
    let store = ControlStore::open(&restored.database).await.unwrap();
    let answer = store.changes_since(fleet.store.revision().await.unwrap()).await.unwrap();
    assert_eq!(answer, Feed::Reload(Snapshot::default()));
}

/// A private key wrapped anew must not be left under the former key-encryption key, which may be known to others.
#[tokio::test]
async fn a_replaced_envelope_is_nowhere_in_the_files() {
    const FORMER: &[u8] = b"the envelope of the former key-encryption key, long enough to be found";
    let fresh = fresh().await;
    let store = KeyRingStore::open(&fresh.database).await.unwrap();
    let sealed = |bytes: Vec<u8>| Sealed { key_encryption_key: "kek".into(), bytes };
    let of = |bytes: Vec<u8>| KeyRecord { private_key: sealed(bytes), ..key("a", 0) };
    let filler = (0..40).map(|index| KeyRecord { kid: format!("filler-{index}").parse().unwrap(), ..key("a", 0) });
    let mut keys: Vec<_> = filler.collect();
    keys.push(of(FORMER.to_vec()));
    let version = store.replace(WORKLOAD, Default::default(), &keys).await.unwrap();
    let holds = || {
        let files = directory_of(&fresh).read_dir().unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(FORMER.len()).any(|window| window == FORMER))
    };
    assert!(holds());
    store.replace(WORKLOAD, version, &[of(vec![1; 200])]).await.unwrap();
    fresh.database.scrub().await.unwrap();
    assert!(!holds());
}
