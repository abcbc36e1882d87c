// SPDX-License-Identifier: Apache-2.0
//! Who can write to the database but has no key-encryption key cannot have a key published, nor a token signed otherwise.

use cress_jose::SigningKey;

use super::*;

async fn check_refused(change: impl FnOnce(&mut Vec<KeyRecord>), expected: &str) {
    let site = Site::new().await;
    let ring = site.open().await;
    let before = ring.current();
    site.tamper(change).await;

    let error = ring.advance().await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert_eq!(ring.current().body, before.body, "what was good stays");
    assert!(site.signing(&ring).is_some());
    let error = site.try_open(keys(&["one"])).await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

fn intruders_jwk(kid: &KeyId) -> String {
    serde_json::to_string(&SigningKey::generate(kid.clone()).unwrap().public_jwk()).unwrap()
}

#[tokio::test]
async fn a_replaced_public_key_is_refused() {
    let replace = |keys: &mut Vec<KeyRecord>| keys[0].public_jwk = intruders_jwk(&keys[0].kid);
    check_refused(replace, "is not that of its private key").await;
}

#[tokio::test]
async fn an_added_key_is_refused() {
    let add = |keys: &mut Vec<KeyRecord>| {
        let kid: KeyId = "salad-workload-intruder".parse().unwrap();
        let created_at = keys[0].created_at - MINUTE;
        keys.push(KeyRecord { public_jwk: intruders_jwk(&kid), kid, created_at, ..keys[0].clone() });
    };
    check_refused(add, "its envelope is damaged, or was made for something else").await;
}

#[tokio::test]
async fn swapped_private_keys_are_refused() {
    let swap = |keys: &mut Vec<KeyRecord>| {
        let first = keys[0].private_key.clone();
        keys[0].private_key = keys[1].private_key.clone();
        keys[1].private_key = first;
    };
    check_refused(swap, "its envelope is damaged, or was made for something else").await;
}

#[tokio::test]
async fn a_damaged_private_key_is_refused() {
    let damage = |keys: &mut Vec<KeyRecord>| keys[1].private_key.bytes.truncate(40);
    check_refused(damage, "its envelope is damaged").await;
    let clear = |keys: &mut Vec<KeyRecord>| keys[1].private_key.bytes.clear();
    check_refused(clear, "expected an envelope of version 1, got 0 bytes").await;
}

#[tokio::test]
async fn a_damaged_key_can_be_revoked() {
    let site = Site::new().await;
    let ring = site.open().await;
    let [first, second] = published(&ring).try_into().unwrap();
    site.tamper(|keys| keys[0].private_key.bytes.truncate(40)).await;
    ring.advance().await.unwrap_err();
    assert_eq!(ring.revoke(&first).await.unwrap(), second);
    ring.advance().await.unwrap();
    assert_eq!(site.signing(&ring), Some(second));
}

#[tokio::test]
async fn who_has_no_backup_marks_the_row_as_revoked_and_starts() {
    let site = Site::new().await;
    let [_, second] = published(&site.open().await).try_into().unwrap();
    site.clock.advance(DAY);
    let now = site.clock.now();
    site.tamper(|keys| {
        keys[0].private_key.bytes.truncate(40);
        keys[0].revoked_at = Some(now);
    })
    .await;
    let ring = site.open().await;
    assert_eq!(site.signing(&ring), Some(second));
    assert_eq!(states(&ring).await, [KeyState::Revoked, KeyState::Active, KeyState::Next]);
}
