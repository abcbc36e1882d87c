// SPDX-License-Identifier: Apache-2.0
//! Copies, and looking without touching.

use std::collections::BTreeSet;
use std::path::Path;

use cress_store::control::ControlStore;
use cress_store::{Backup, BackupError, Database, DatabaseOptions, DatabaseUrl, Inspection, StoreErrorKind};

use crate::sqlite::fresh;
use crate::support::{Fleet, kind};

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn a_copy_is_one_state_while_others_write() {
    let fresh = fresh().await;
    let fleet = Fleet::open(&fresh.database).await;
    let (group, node) = (fleet.group("workers").await, fleet.node(1).await);
    fleet.place(group, node, 50).await;
    let before = fleet.store.snapshot().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.db");
    let writes = async {
        for _ in 0..20 {
            fleet.place(group, node, 3).await;
        }
    };
    let (made, ()) = tokio::join!(Backup::make(&fresh.url, &to), writes);
    let made = made.unwrap();
    assert_eq!((made.bytes, made.versions.len()), (to.metadata().unwrap().len(), 2));
    assert_eq!(names(directory.path()), BTreeSet::from(["backup.db".to_owned()]));
    #[cfg(unix)]
    assert_eq!(mode(&to), 0o600);

    let copy = ControlStore::open(&Database::open(&DatabaseUrl::sqlite(&to)).await.unwrap()).await.unwrap();
    let (copied, after) = (copy.snapshot().await.unwrap(), fleet.store.snapshot().await.unwrap());
    let count = copied.instances.len();
    assert!((before.instances.len()..=after.instances.len()).contains(&count) && (count - 50) % 3 == 0, "{count}");
}

#[tokio::test]
async fn a_copy_replaces_nothing_and_leaves_nothing_half_made() {
    let fresh = fresh().await;
    let _fleet = Fleet::open(&fresh.database).await;
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.db");
    std::fs::write(&to, "precious").unwrap();
    assert!(matches!(Backup::make(&fresh.url, &to).await, Err(BackupError::Exists(path)) if path == to));
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");

    let absent = DatabaseUrl::sqlite(directory.path().join("absent.db"));
    let other = directory.path().join("other.db");
    let message = Backup::make(&absent, &other).await.unwrap_err().to_string();
    assert!(message.contains("absent.db") && message.contains("does not exist"), "{message}");
    let nowhere = directory.path().join("no/backup.db");
    let message = Backup::make(&fresh.url, &nowhere).await.unwrap_err().to_string();
    assert!(message.starts_with("cannot write the backup "), "{message}");
    assert_eq!(names(directory.path()), BTreeSet::from(["backup.db".to_owned()]));
}

#[tokio::test]
async fn a_damaged_database_gives_no_copy() {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite(directory.path().join("store.db"));
    let database = Database::open(&url).await.unwrap();
    let fleet = Fleet::open(&database).await;
    fleet.place(fleet.group("workers").await, fleet.node(1).await, 500).await;
    database.close().await;
    let mut bytes = std::fs::read(url.file().unwrap()).unwrap();
    let half = bytes.len() / 2;
    bytes.iter_mut().skip(half).for_each(|byte| *byte = 0x5a);
    std::fs::write(url.file().unwrap(), bytes).unwrap();
    let to = directory.path().join("backup.db");
    let message = Backup::make(&url, &to).await.unwrap_err().to_string();
    assert!(message.contains("damaged"), "{message}");
    assert_eq!(names(directory.path()), BTreeSet::from(["store.db".to_owned()]));
    let looked = Inspection::open(&url, DatabaseOptions::default()).await.unwrap();
    let damage = looked.damage().await;
    assert!(damage.as_ref().map_or(true, |damage| !damage.is_empty()), "{damage:?}");
}

#[tokio::test]
async fn looking_changes_nothing() {
    let fresh = fresh().await;
    let fleet = Fleet::open(&fresh.database).await;
    fleet.place(fleet.group("workers").await, fleet.node(1).await, 3).await;
    let directory = fresh.url.file().unwrap().parent().unwrap();
    // Beside a process that runs on it, and when none does.
    for running in [true, false] {
        if !running {
            fresh.database.close().await;
        }
        let before = names(directory);
        let content = std::fs::read(fresh.url.file().unwrap()).unwrap();
        let inspection = Inspection::open(&fresh.url, DatabaseOptions::default()).await.unwrap();
        assert_eq!(inspection.damage().await.unwrap(), Vec::<String>::new());
        let versions = inspection.versions().await.unwrap();
        let versions: Vec<_> = versions.iter().map(|module| (module.module, module.found == module.known)).collect();
        assert_eq!(versions, [("control", true), ("keyring", false)], "this one has no key rings");
        assert_eq!(inspection.control().snapshot().await.unwrap().instances.len(), 3);
        let written = inspection.control().deployment_id(&cress_testkit::SeededRandom::new(1)).await;
        assert_eq!(kind(written), StoreErrorKind::Permanent);
        inspection.close().await;
        assert_eq!(names(directory), before);
        assert_eq!(std::fs::read(fresh.url.file().unwrap()).unwrap(), content);
    }
}
