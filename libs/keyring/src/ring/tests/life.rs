// SPDX-License-Identifier: Apache-2.0
//! One ring from its first start on.

use std::collections::HashSet;

use cress_jose::SigningAlgorithm;

use super::*;

#[tokio::test]
async fn the_first_start_makes_two_keys_and_signs() {
    let site = Site::new().await;
    let ring = site.open().await;
    let view = ring.current();
    let kids = published(&ring);
    assert_eq!(
        kids.iter().map(KeyId::as_str).collect::<Vec<_>>(),
        ["salad-workload-2025-03-27T18:50:46.0000000Z", "salad-workload-2025-03-27T18:50:46.0000010Z"]
    );
    assert_eq!(site.signing(&ring).as_ref(), kids.first());
    let stale_at = site.clock.now() + Settings::workload().stale_max();
    assert!(view.is_fresh(stale_at - Duration::from_micros(1)) && !view.is_fresh(stale_at));
    assert_eq!(states(&ring).await, [KeyState::Active, KeyState::Next]);

    let token = view.signing_key(site.clock.now()).unwrap().sign(b"{}").unwrap();
    assert!(verifies(&token, &view.body));
    assert_eq!(JwkSet::parse(&view.body).unwrap(), view.published);
    assert!(view.body.starts_with(br#"{"keys":[{"crv":"P-256","x":""#));
    assert!(!String::from_utf8_lossy(&view.body).contains(r#""d":"#));
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let site = Site::new().await;
    let before = site.open().await.current();
    site.clock.advance(DAY);
    let after = site.open_elsewhere().await.current();
    assert_eq!((&before.body, &before.etag), (&after.body, &after.etag));
    assert_eq!((after.etag.len(), after.etag.starts_with('"'), after.etag.ends_with('"')), (34, true, true));
}

#[tokio::test]
async fn a_switch_happens_by_itself_and_its_successor_is_born_at_the_next_look() {
    let site = Site::new().await;
    let ring = site.open().await;
    let [first, second] = published(&ring).try_into().unwrap();
    let mut changes = ring.subscribe();
    changes.mark_unchanged();

    site.clock.advance(WEEK - MINUTE);
    ring.advance().await.unwrap();
    assert!(!changes.has_changed().unwrap());
    let old = ring.current();
    let token = old.signing_key(site.clock.now()).unwrap().sign(b"{}").unwrap();
    assert_eq!(site.signing(&ring), Some(first));

    site.clock.advance(2 * MINUTE);
    assert_eq!(site.signing(&ring), Some(second), "without a look at the store");
    ring.advance().await.unwrap();
    assert!(changes.has_changed().unwrap());
    let new = ring.current();
    assert_eq!(new.published.keys().len(), 3);
    assert_ne!(old.etag, new.etag);
    assert!(verifies(&token, &new.body));
    assert!(verifies(&new.signing_key(site.clock.now()).unwrap().sign(b"{}").unwrap(), &old.body));

    site.clock.advance(15 * HOUR);
    ring.advance().await.unwrap();
    assert!(!verifies(&token, &ring.current().body), "it has expired long ago");
    assert_eq!(states(&ring).await, [KeyState::Gone, KeyState::Active, KeyState::Next]);
}

#[tokio::test]
async fn after_long_downtime_the_published_key_signs_on() {
    let site = Site::new().await;
    let [_, second] = published(&site.open().await).try_into().unwrap();
    site.clock.advance(20 * WEEK);
    let ring = site.open().await;
    assert_eq!(site.signing(&ring), Some(second));
    assert_eq!(states(&ring).await, [KeyState::Gone, KeyState::Active, KeyState::Next]);
}

#[tokio::test]
async fn a_ring_whose_store_is_gone_signs_and_publishes_for_half_a_day() {
    let site = Site::new().await;
    let ring = site.open().await;
    site.database.close().await;
    let mut changes = ring.subscribe();
    changes.mark_unchanged();

    site.clock.advance(12 * HOUR - MINUTE);
    ring.advance().await.unwrap_err();
    assert!(site.signing(&ring).is_some() && ring.current().is_fresh(site.clock.now()));
    assert!(!changes.has_changed().unwrap());

    site.clock.advance(2 * MINUTE);
    assert!(site.signing(&ring).is_none(), "before anyone has looked");
    ring.advance().await.unwrap_err();
    assert!(site.signing(&ring).is_none() && !ring.current().is_fresh(site.clock.now()));
    assert!(changes.has_changed().unwrap());
    site.clock.set_now(site.clock.now() - 2 * DAY);
    assert!(site.signing(&ring).is_none(), "nor does a clock that goes back help");
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop() {
    let site = Site::new().await;
    let ring = site.open().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = ring.clone();
    let task = tokio::spawn(async move {
        running
            .run(async {
                stopped.await.ok();
            })
            .await;
    });
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn bad_settings_are_refused() {
    let site = Site::new().await;
    let settings = Settings { lead: MINUTE, ..Settings::workload() };
    let opened = KeyRing::open(site.store.clone(), keys(&["one"]), settings, Arc::clone(&site.clock) as _).await;
    assert!(matches!(opened, Err(KeyRingError::Settings(_))));
}

#[tokio::test]
async fn a_ring_of_either_algorithm_lives_the_same_life() {
    let site = Site::new().await;
    let mut kids = Vec::new();
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let open = async |store| {
            KeyRing::open(store, keys(&["one"]), Settings::broker(algorithm, DAY), Arc::clone(&site.clock) as _).await
        };
        let ring = open(site.store.clone()).await.unwrap();
        let key = ring.current().signing_key(site.clock.now()).unwrap().public_jwk();
        assert_eq!(key.algorithm(), algorithm.algorithm());
        let again = open(store_elsewhere(&site.directory).await).await.unwrap();
        assert_eq!(again.current().body, ring.current().body);
        let token = again.current().signing_key(site.clock.now()).unwrap().sign(b"{}").unwrap();
        assert!(verifies(&token, &ring.current().body));
        kids.extend(published(&ring));
    }
    let distinct: HashSet<_> = kids.iter().collect();
    assert_eq!((kids.len(), distinct.len()), (4, 4), "both may be published in one set: {kids:?}");
}

#[tokio::test]
async fn a_ring_of_another_algorithm_is_not_taken_for_ones_own() {
    let site = Site::new().await;
    site.open().await;
    let settings = Settings { algorithm: SigningAlgorithm::Rs256, ..Settings::workload() };
    let opened = KeyRing::open(site.store.clone(), keys(&["one"]), settings, Arc::clone(&site.clock) as _).await;
    assert!(matches!(opened, Err(KeyRingError::KeyPair { .. })));
}
