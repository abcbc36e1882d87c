// SPDX-License-Identifier: Apache-2.0
//! Readiness where a part is missing, which no outside test can bring about.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use cress_keyring::{KeyEncryptionKeySource, KeyEncryptionKeys, KeyRing, Settings, generate_file};
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::{MockClock, SeededRandom};
use http::Request;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::ca::RotationSettings;
use crate::fleet::{Feed, FeedParts, FeedWaker};
use crate::metrics::Counters;

struct World {
    router: Router,
    clock: Arc<MockClock>,
    database: Database,
    _directory: TempDir,
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(MockClock::default());
    let time: Arc<dyn Clock> = clock.clone();
    let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("control.db"))).await.unwrap();
    let kek = directory.path().join("kek");
    generate_file(&kek).unwrap();
    let keys = Arc::new(KeyEncryptionKeys::load(&[KeyEncryptionKeySource::File(kek)], None).unwrap());
    let ring_store = KeyRingStore::open(&database).await.unwrap();
    let ring = KeyRing::open(ring_store, Arc::clone(&keys), Settings::workload(), Arc::clone(&time)).await.unwrap();
    let store = ControlStore::open(&database).await.unwrap();
    let fleet = FleetView::new(Arc::clone(&time), Duration::from_secs(30));
    let parts = FeedParts { clock: Arc::clone(&time), counters: Counters::default() };
    Feed::open(store.clone(), fleet.clone(), FeedWaker::new(), parts).await.unwrap();
    let random = Arc::new(SeededRandom::default());
    let rotation = RotationSettings::default();
    let ca = CertificateAuthority::open(&store, &keys, rotation, Arc::clone(&time), random).await.unwrap();
    let router = router(Public {
        ring,
        ca,
        issuer: "https://issuer.example".parse().unwrap(),
        jwks_url: "https://issuer.example/.well-known/workload-jwks.json".into(),
        cache_life: Duration::from_secs(60),
        fleet,
        store,
        clock: time,
        random: Arc::new(SeededRandom::default()),
    });
    World { router, clock, database, _directory: directory }
}

impl World {
    async fn ready(&self) -> String {
        let request = Request::get(READINESS_PATH).body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        format!("{status} {}", String::from_utf8(body.into()).unwrap())
    }
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let world = world().await;
    assert_eq!(world.ready().await, r#"200 {"status":"ready"}"#);

    world.database.close().await;
    // The store is asked once a second at most.
    assert_eq!(world.ready().await, r#"200 {"status":"ready"}"#);
    world.clock.advance(Duration::from_secs(1));
    let store = world.ready().await;
    assert!(store.starts_with("503") && store.contains(r#""errors":{"store":["does not answer"#), "{store}");

    world.clock.advance(Duration::from_secs(30));
    let fleet = world.ready().await;
    assert!(fleet.contains(r#""errors":{"fleet":["control has not reached its store"#), "{fleet}");

    world.clock.advance(Duration::from_secs(24 * 3_600));
    let keys = world.ready().await;
    assert!(keys.contains(r#""keys":["no key may sign"#), "{keys}");
    assert!(keys.contains(r#""authorities":["the certificate authorities could not be read"#), "{keys}");
}
