// SPDX-License-Identifier: Apache-2.0
mod intruder;
mod life;
mod operator;
mod replicas;

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, KeyId, Secret};
use cress_jose::{CompactJws, JwkSet};
use cress_store::keyring::{KeyRecord, KeyRingStore};
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use tempfile::TempDir;

use super::*;
use crate::schedule::KeyState;
use crate::{KeyEncryptionKey, KeyEncryptionKeys, Settings};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A database in a file of its own, and a clock for all.
struct Site {
    directory: TempDir,
    clock: Arc<MockClock>,
    database: Database,
    store: KeyRingStore,
}

impl Site {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let database = database(&directory).await;
        let store = KeyRingStore::open(&database).await.unwrap();
        Self { directory, clock: Arc::default(), database, store }
    }

    async fn try_open(&self, keys: Arc<KeyEncryptionKeys>) -> Result<KeyRing, KeyRingError> {
        KeyRing::open(self.store.clone(), keys, Settings::workload(), Arc::clone(&self.clock) as _).await
    }

    async fn open(&self) -> KeyRing {
        self.try_open(keys(&["one"])).await.unwrap()
    }

    async fn open_elsewhere(&self) -> KeyRing {
        let store = store_elsewhere(&self.directory).await;
        KeyRing::open(store, keys(&["one"]), Settings::workload(), Arc::clone(&self.clock) as _).await.unwrap()
    }

    /// Changes the stored keys as someone with access to the database would.
    async fn tamper(&self, change: impl FnOnce(&mut Vec<KeyRecord>)) {
        let ring = Settings::workload().ring;
        let mut record = self.store.load(ring).await.unwrap();
        change(&mut record.keys);
        self.store.replace(ring, record.version, &record.keys).await.unwrap();
    }

    fn signing(&self, ring: &KeyRing) -> Option<KeyId> {
        ring.current().signing_key(self.clock.now()).map(|key| key.kid().clone())
    }
}

async fn database(directory: &TempDir) -> Database {
    Database::open(&DatabaseUrl::sqlite(directory.path().join("store.db"))).await.unwrap()
}

/// The store through connections of its own, as another process has it.
async fn store_elsewhere(directory: &TempDir) -> KeyRingStore {
    KeyRingStore::open(&database(directory).await).await.unwrap()
}

/// Key-encryption keys of these names, the first one active.
fn keys(names: &[&str]) -> Arc<KeyEncryptionKeys> {
    let key = |name: &&str| {
        let byte = name.bytes().fold(0, u8::wrapping_add);
        KeyEncryptionKey::new(Some(name.parse().unwrap()), &Secret::new([byte; 32])).unwrap()
    };
    let mut keys: Vec<_> = names.iter().map(key).collect();
    let active = keys.remove(0);
    Arc::new(KeyEncryptionKeys::new(active, keys).unwrap())
}

fn published(ring: &KeyRing) -> Vec<KeyId> {
    ring.current().published.keys().iter().filter_map(|key| key.kid().cloned()).collect()
}

fn verifies(token: &str, jwks: &[u8]) -> bool {
    let (set, jws) = (JwkSet::parse(jwks).unwrap(), CompactJws::parse(token).unwrap());
    let key = set.get(jws.header().kid().unwrap().as_str());
    key.is_some_and(|key| jws.verify(&key.verification_key().unwrap()).is_ok())
}

async fn states(ring: &KeyRing) -> Vec<KeyState> {
    ring.list().await.unwrap().iter().map(|key| key.state).collect()
}
