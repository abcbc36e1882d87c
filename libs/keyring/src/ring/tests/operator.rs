// SPDX-License-Identifier: Apache-2.0
//! Revocation, switches by hand, and changes of the key-encryption key.

use super::*;

#[tokio::test]
async fn a_revoked_key_leaves_every_replica_at_its_next_look() {
    let site = Site::new().await;
    let (here, there) = (site.open().await, site.open_elsewhere().await);
    let [first, second] = published(&here).try_into().unwrap();
    let token = here.current().signing_key(site.clock.now()).unwrap().sign(b"{}").unwrap();

    site.clock.advance(DAY);
    assert_eq!(here.revoke(&first).await.unwrap(), second);
    assert!(!verifies(&token, &here.current().body));
    assert_eq!(site.signing(&here).as_ref(), Some(&second));
    there.advance().await.unwrap();
    assert_eq!(there.current().body, here.current().body);
    assert_eq!(site.signing(&there), Some(second.clone()));
    assert_eq!(states(&there).await, [KeyState::Revoked, KeyState::Active, KeyState::Next]);
    let revoked = &there.list().await.unwrap()[0];
    assert_eq!(revoked.revoked_at, Some(site.clock.now()));

    assert_eq!(there.revoke(&first).await.unwrap(), second, "once is enough");
    assert_eq!(published(&there).len(), 2);
}

#[tokio::test]
async fn an_unknown_key_cannot_be_revoked() {
    let site = Site::new().await;
    let ring = site.open().await;
    let kid: KeyId = "salad-workload-unknown".parse().unwrap();
    assert_eq!(ring.revoke(&kid).await, Err(KeyRingError::UnknownKey(kid)));
}

#[tokio::test]
async fn a_switch_by_hand_says_when_it_can_be() {
    let site = Site::new().await;
    let ring = site.open().await;
    site.clock.advance(DAY);
    let error = ring.rotate().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "expected a next key that was public for its lead time, which is so from 2025-04-03T18:50:46Z on; \
         if the active key must go now, revoke it"
    );
    assert_eq!(states(&ring).await, [KeyState::Active, KeyState::Next]);
}

#[tokio::test]
async fn a_switch_by_hand_comes_early_where_keys_sign_for_longer_than_the_lead_time() {
    let site = Site::new().await;
    let settings = Settings { active: 3 * WEEK, ..Settings::workload() };
    let ring = KeyRing::open(site.store.clone(), keys(&["one"]), settings, Arc::clone(&site.clock) as _).await.unwrap();
    let [_, second] = published(&ring).try_into().unwrap();
    site.clock.advance(WEEK + MINUTE);
    assert_eq!(ring.rotate().await.unwrap(), second);
    assert_eq!(site.signing(&ring), Some(second));
    assert_eq!(states(&ring).await, [KeyState::Retired, KeyState::Active, KeyState::Next]);
}

#[tokio::test]
async fn rewrapping_lets_the_old_key_encryption_key_go() {
    let site = Site::new().await;
    let before = site.open().await.current();
    let without = site.try_open(keys(&["two"])).await.unwrap_err().to_string();
    assert!(without.contains("its key-encryption key one is not configured (there are: two)"), "{without}");

    let ring = site.try_open(keys(&["two", "one"])).await.unwrap();
    let done = ring.rewrap().await.unwrap();
    assert_eq!((done.rewrapped, done.unreadable.len()), (2, 0));
    assert_eq!(ring.rewrap().await.unwrap(), Rewrapped::default(), "done again, it does nothing");
    assert!(ring.list().await.unwrap().iter().all(|key| key.key_encryption_key == "two"));

    let after = site.try_open(keys(&["two"])).await.unwrap();
    assert_eq!(after.current().body, before.body);
    assert!(site.signing(&after).is_some());
}

#[tokio::test]
async fn a_key_that_nobody_can_read_hinders_no_rewrapping() {
    let site = Site::new().await;
    let ring = site.open().await;
    let kid = published(&ring)[0].clone();
    ring.revoke(&kid).await.unwrap();
    site.tamper(|keys| keys[0].private_key.key_encryption_key = "lost".to_owned()).await;
    let ring = site.try_open(keys(&["two", "one"])).await.unwrap();
    let done = ring.rewrap().await.unwrap();
    assert_eq!(done.rewrapped, 2);
    assert_eq!(done.unreadable.iter().map(|(kid, _)| kid).collect::<Vec<_>>(), [&kid]);
}
