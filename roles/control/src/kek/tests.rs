// SPDX-License-Identifier: Apache-2.0
//! No replica is left without a key, and a refusal changes nothing.

use std::path::PathBuf;

use cress_keyring::{KeyEncryptionKeySource, Settings, generate_file};
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use tempfile::TempDir;

use super::*;

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

struct Site {
    kek: KeyEncryption,
    file: PathBuf,
    _directory: TempDir,
}

impl Site {
    async fn with(content: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        let origin = match content {
            Some(content) => {
                std::fs::write(&file, content).unwrap();
                Origin::Configured { sources: vec![KeyEncryptionKeySource::File(file.clone())], active: None }
            }
            None => {
                generate_file(&file).unwrap();
                Origin::Own(file.clone())
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(MockClock::default());
        let keys = Arc::new(origin.load_now().unwrap());
        let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("control.db"))).await.unwrap();
        let (store, rings) =
            (ControlStore::open(&database).await.unwrap(), KeyRingStore::open(&database).await.unwrap());
        let ring = KeyRing::open(rings.clone(), Arc::clone(&keys), Settings::workload(), Arc::clone(&clock)).await;
        let (ring, replica) = (ring.unwrap(), "here".to_owned());
        let kek = KeyEncryption::new(KeyEncryptionParts { keys, origin, ring, rings, store, replica, clock });
        kek.note().await.unwrap();
        Self { kek, file, _directory: directory }
    }

    async fn old() -> Self {
        Self::with(Some(OLD)).await
    }

    /// Another replica tells that it has these.
    async fn there(&self, keys: &[&str]) {
        let file = self.file.with_extension("there");
        std::fs::write(&file, keys.join("\n")).unwrap();
        let keys = KeyEncryptionKeys::load(&[KeyEncryptionKeySource::File(file)], None).unwrap();
        let (replica, seen_at) = ("there".to_owned(), self.kek.0.clock.now());
        let holder = KeyEncryptionKeyHolder { replica, key_encryption_keys: keys.descriptions(), seen_at };
        self.kek.0.rings.note_holder(&holder, HEARD_OF_MAX).await.unwrap();
    }

    fn give(&self, keys: &[&str]) {
        std::fs::write(&self.file, keys.join("\n")).unwrap();
    }

    fn ids(&self) -> Vec<String> {
        self.kek.0.keys.descriptions().iter().map(|key| id_of(key).to_owned()).collect()
    }
}

#[tokio::test]
async fn a_key_that_another_replica_lacks_does_not_become_the_active_one() {
    let site = Site::old().await;
    site.there(&[OLD]).await;
    site.give(&[NEW, OLD]);
    assert!(matches!(site.kek.reload().await, Err(KekError::NotEverywhere { .. })));
    assert!(matches!(site.kek.rotate(NewKey::Configured).await, Err(KekError::NotEverywhere { .. })));
    assert_eq!(site.ids(), ["old"], "everything stays as it is");

    site.give(&[OLD, NEW]);
    site.kek.reload().await.unwrap();
    site.there(&[OLD, NEW]).await;
    site.give(&[NEW, OLD]);
    site.kek.reload().await.unwrap();
    assert_eq!(site.ids(), ["new", "old"]);
}

#[tokio::test]
async fn a_key_with_which_another_replica_seals_is_not_dropped() {
    let site = Site::old().await;
    site.there(&[OLD, NEW]).await;
    site.give(&[NEW, OLD]);
    site.kek.rotate(NewKey::Configured).await.unwrap();
    site.give(&[NEW]);
    for refused in [site.kek.reload().await.unwrap_err(), site.kek.rotate(NewKey::Configured).await.unwrap_err()] {
        assert!(matches!(refused, KekError::StillSealing { .. }), "{refused}");
    }
    assert_eq!(site.ids(), ["new", "old"]);
    site.there(&[NEW, OLD]).await;
    site.kek.reload().await.unwrap();
    assert_eq!(site.ids(), ["new"]);
}

#[tokio::test]
async fn a_key_of_ones_own_is_made_only_where_no_other_replica_runs() {
    let site = Site::with(None).await;
    let (ids, content) = (site.ids(), std::fs::read_to_string(&site.file).unwrap());
    site.there(&[OLD]).await;
    assert!(matches!(site.kek.rotate(NewKey::Make).await, Err(KekError::NotAlone { .. })));
    assert_eq!((site.ids(), std::fs::read_to_string(&site.file).unwrap()), (ids.clone(), content));
    site.kek.0.rings.forget_holder("there").await.unwrap();
    site.kek.rotate(NewKey::Make).await.unwrap();
    assert!(site.ids().len() == 1 && site.ids() != ids);
}

#[tokio::test]
async fn an_old_key_stays_in_the_file_while_something_is_sealed_under_it() {
    let site = Site::old().await;
    site.kek.check_nothing_else_seals().await.unwrap();
    site.give(&[OLD, NEW]);
    site.kek.reload().await.unwrap();
    let sources = [KeyEncryptionKeySource::File(site.file.clone())];
    let other = KeyEncryptionKeys::load(&sources, Some(&"new".parse().unwrap())).unwrap();
    site.kek.0.keys.replace(other);
    let refused = site.kek.check_nothing_else_seals().await.unwrap_err();
    assert!(matches!(&refused, KekError::SealedMeanwhile(ids) if ids == "old"), "{refused}");
}

#[tokio::test]
async fn reloads_and_rotations_take_turns() {
    let site = Site::with(None).await;
    let (one, two, three) =
        tokio::join!(site.kek.rotate(NewKey::Make), site.kek.reload(), site.kek.rotate(NewKey::Make));
    one.unwrap();
    two.unwrap();
    three.unwrap();
    let listed = site.kek.list().await.unwrap();
    assert!(listed.len() == 1 && listed[0].active && listed[0].seals > 0, "{listed:?}");
}
