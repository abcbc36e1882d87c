// SPDX-License-Identifier: Apache-2.0
//! Signing keys over the admin API.

use std::time::Duration;

use cress_store::control::ControlStore;
use cress_store::keyring::{KeyRingStore, RingName};
use serde_json::{Value, json};

use crate::support::{Control, directory};

const KEYS: &str = "/v1/keys";
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

async fn states(control: &Control) -> Vec<Value> {
    let list = control.admin_json("GET", KEYS, "").await;
    list["items"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect()
}

#[tokio::test]
async fn keys_are_listed_rotated_and_revoked() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let list = control.admin_json("GET", KEYS, "").await;
    let first = &list["items"][0];
    assert_eq!(states(&control).await, ["active", "next"]);
    assert_eq!(first["kid"], "salad-workload-2025-03-27T18:50:46.0000000Z");
    assert_eq!(first["created_at"], "2025-03-27T18:50:46Z");
    assert_eq!(first["signs_until"], list["items"][1]["signs_from"]);

    // The next key has not had its lead time yet.
    let early = control.refusal("POST", "/v1/keys/rotate", "").await;
    assert!(early.contains("409") && early.contains("too-early") && early.contains("2025-04-03T18:50:46Z"), "{early}");

    let body = json!({"kid": first["kid"]}).to_string();
    control.admin_json("POST", "/v1/keys/revoke", &body).await;
    assert_eq!(states(&control).await, ["revoked", "active", "next"]);
    let published = control.public("GET", "/.well-known/workload-jwks.json", "").await.body;
    assert!(!published.contains(first["kid"].as_str().unwrap()), "{published}");
    // Again, it changes nothing.
    control.admin_json("POST", "/v1/keys/revoke", &body).await;
    assert_eq!(states(&control).await, ["revoked", "active", "next"]);

    control.clock.advance(WEEK + WEEK);
    let unknown = control.refusal("POST", "/v1/keys/revoke", r#"{"kid":"nobody"}"#).await;
    assert!(unknown.contains("404") && unknown.contains("nobody"), "{unknown}");
    let malformed = control.refusal("POST", "/v1/keys/revoke", r#"{"kid":""}"#).await;
    assert!(malformed.contains(r#""errors":{"kid":["#), "{malformed}");
    control.stop().await;
}

/// The private keys of signing keys and certificate authorities, as they are stored.
async fn envelopes(control: &Control) -> Vec<Vec<u8>> {
    let database = control.database().await;
    let ring = KeyRingStore::open(&database).await.unwrap().load(RingName::new("workload")).await.unwrap();
    let authorities = ControlStore::open(&database).await.unwrap().certificate_authorities().await.unwrap();
    let keys = ring.keys.into_iter().map(|key| key.private_key.bytes);
    let envelopes: Vec<_> = keys.chain(authorities.into_iter().map(|authority| authority.private_key.bytes)).collect();
    database.close().await;
    assert_eq!(envelopes.len(), 3);
    envelopes
}

fn is_on_disk(control: &Control, envelope: &[u8]) -> bool {
    let files = std::fs::read_dir(control.started.admin_socket.parent().unwrap()).unwrap();
    let contents = files.map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default());
    contents.into_iter().any(|content| content.windows(envelope.len()).any(|window| window == envelope))
}

#[tokio::test]
async fn a_new_key_encryption_key_replaces_the_old_one() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let sealed_with = |list: &Value| {
        let keys = list["items"].as_array().unwrap().iter();
        keys.map(|key| key["key_encryption_key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let old = sealed_with(&control.admin_json("GET", KEYS, "").await);
    control.stop().await;

    let (old_file, new_file) = (directory.path().join("data.kek"), directory.path().join("new.kek"));
    std::fs::write(&new_file, "new:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let source = |path: &std::path::Path| format!("file:{}", path.display()).parse().unwrap();
    let mut config = crate::support::config(&directory);
    config.key_encryption.keys = vec![source(&old_file), source(&new_file)];
    config.key_encryption.active = Some("new".to_owned());
    let control = Control::start_with(config.clone()).await;
    assert_eq!(sealed_with(&control.admin_json("GET", KEYS, "").await), old);
    let envelopes = envelopes(&control).await;
    assert!(envelopes.iter().all(|envelope| is_on_disk(&control, envelope)));
    control.admin_json("POST", "/v1/key-encryption-keys/rotate", "{}").await;
    // Who has the old key finds nothing to open with it, in no corner of the database's files.
    assert!(!envelopes.iter().any(|envelope| is_on_disk(&control, envelope)));
    assert_eq!(sealed_with(&control.admin_json("GET", KEYS, "").await), ["new", "new"]);
    control.admin_json("POST", "/v1/key-encryption-keys/rotate", "{}").await;
    control.stop().await;

    // The old one is of no use any more.
    config.key_encryption.keys = vec![source(&new_file)];
    Control::start_with(config).await.stop().await;
}
