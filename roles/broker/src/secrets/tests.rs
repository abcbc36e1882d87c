// SPDX-License-Identifier: Apache-2.0
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Name, Secret};
use cress_keyring::{KeyEncryptionKey, KeyEncryptionKeys};
use cress_provider::StoredSecrets;
use cress_store::broker::BrokerStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use tempfile::TempDir;

use super::*;

struct Site {
    _directory: TempDir,
    database: Database,
    clock: Arc<MockClock>,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("s.db"))).await.unwrap();
        Self { _directory: directory, database, clock: Arc::default() }
    }

    /// What a replica with this key-encryption key has.
    async fn replica(&self, byte: u8) -> Secrets {
        let key = KeyEncryptionKey::new(None, &Secret::new([byte; 32])).unwrap();
        let keys = Arc::new(KeyEncryptionKeys::new(key, Vec::new()).unwrap());
        let store = BrokerStore::open(&self.database).await.unwrap();
        Secrets::new(store, keys, Arc::clone(&self.clock) as _)
    }
}

fn name() -> Name {
    "mail-api".parse().unwrap()
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret<String>> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned()))).collect()
}

async fn current(secrets: &Secrets) -> Option<(u32, String)> {
    let version = secrets.current("mail-api").await.unwrap()?;
    Some((version.version, version.fields["api_key"].expose().clone()))
}

#[tokio::test]
async fn a_version_is_put_given_out_replaced_and_retired() {
    let site = Site::new().await;
    let secrets = site.replica(1).await;
    assert_eq!(current(&secrets).await, None);
    assert_eq!(secrets.put(&name(), &fields(&[("api_key", "one")]), true).await.unwrap(), 1);
    assert_eq!(current(&secrets).await, Some((1, "one".to_owned())));
    assert_eq!(secrets.put(&name(), &fields(&[("api_key", "two")]), false).await.unwrap(), 2);
    assert_eq!(current(&secrets).await, Some((1, "one".to_owned())));
    secrets.activate(&name(), 2).await.unwrap();
    assert_eq!(current(&secrets).await, Some((2, "two".to_owned())));
    secrets.retire(&name(), 2).await.unwrap();
    assert_eq!(current(&secrets).await, None);
    assert!(secrets.activate(&name(), 2).await.is_err());
    let listed: Vec<_> = secrets.list().await.unwrap().iter().map(|it| (it.version, it.retired_at.is_some())).collect();
    assert_eq!(listed, [(1, false), (2, true)]);
}

#[tokio::test]
async fn another_replicas_change_is_noticed_soon_and_nothing_is_read_meanwhile() {
    let site = Site::new().await;
    let (one, other) = (site.replica(1).await, site.replica(1).await);
    one.put(&name(), &fields(&[("api_key", "one")]), true).await.unwrap();
    assert_eq!(current(&other).await, Some((1, "one".to_owned())));
    one.put(&name(), &fields(&[("api_key", "two")]), true).await.unwrap();
    assert_eq!(current(&other).await, Some((1, "one".to_owned())), "it has just looked");
    site.clock.advance(LOOK_PERIOD);
    assert_eq!(current(&other).await, Some((2, "two".to_owned())));
    site.database.close().await;
    assert_eq!(current(&other).await, Some((2, "two".to_owned())), "it has just looked");
    site.clock.advance(LOOK_PERIOD + Duration::from_secs(1));
    assert!(other.current("mail-api").await.is_err(), "nothing old is given out while the store is away");
}

#[tokio::test]
async fn a_value_opens_only_with_its_key_and_is_shown_to_nobody() {
    let site = Site::new().await;
    let secrets = site.replica(1).await;
    secrets.put(&name(), &fields(&[("api_key", "hunter2")]), true).await.unwrap();
    let stranger = site.replica(2).await;
    let error = stranger.current("mail-api").await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(stranger.activate(&name(), 1).await.is_err());
    let shown = format!("{secrets:?} {:?}", secrets.list().await.unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    let stored = secrets.list().await.unwrap().remove(0).sealed.bytes;
    assert!(!stored.windows(7).any(|window| window == b"hunter2"));
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused() {
    let site = Site::new().await;
    let secrets = site.replica(1).await;
    let many: Vec<(String, &str)> = (0..17).map(|number| (format!("part_{number}"), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let long = "x".repeat(65_537);
    for (bad, said) in [
        (fields(&[]), "1 to 16 parts"),
        (fields(&many), "got 17"),
        (fields(&[("API-KEY", "x")]), "got \"API-KEY\""),
        (fields(&[("version", "x")]), "got \"version\""),
        (fields(&[("", "x")]), "got \"\""),
        (fields(&[("api_key", "")]), "an empty one"),
        (fields(&[("api_key", &long)]), "at most 65536 bytes"),
    ] {
        let error = secrets.put(&name(), &bad, true).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    for _ in 0..10 {
        secrets.put(&name(), &fields(&[("api_key", "x")]), true).await.unwrap();
    }
    let error = secrets.put(&name(), &fields(&[("api_key", "x")]), true).await.unwrap_err().to_string();
    assert!(error.contains("retire old ones first"), "{error}");
}
