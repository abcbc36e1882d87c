// SPDX-License-Identifier: Apache-2.0
//! Nodes and join tokens over the admin API.

use std::time::Duration;

use cress_api::join_token::JoinToken;
use serde_json::json;

use crate::support::{Control, directory};

const TOKENS: &str = "/v1/join-tokens";

#[tokio::test]
async fn a_join_token_is_shown_once_and_ends() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let made = control.admin_json("POST", TOKENS, "{}").await;
    let text = made["join_token"].as_str().unwrap();
    let token: JoinToken = text.parse().unwrap();
    assert_eq!(made["expires_at"], "2025-03-27T19:50:46Z", "an hour by default");

    // It carries the fingerprint of the authority that is written to ca.pem.
    let pem = std::fs::read(&control.started.ca_file).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    assert_eq!(*token.ca_fingerprint(), cress_service::tls::fingerprint(&pem.contents));

    // The secret is nowhere in the database, nor in the list.
    let secret = token.secret().expose().as_bytes();
    for entry in std::fs::read_dir(control.started.admin_socket.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap_or_default();
        assert!(!content.windows(secret.len()).any(|window| window == secret), "{}", path.display());
    }
    let list = control.admin("GET", TOKENS, "").await;
    assert!(!list.body.contains(token.secret().expose()) && list.body.contains(r#""state":"open""#), "{}", list.body);

    control.clock.advance(Duration::from_secs(3_600));
    let listed = control.admin_json("GET", TOKENS, "").await;
    assert_eq!(listed["items"][0]["state"], "expired");
    let second = control.admin_json("POST", TOKENS, r#"{"ttl_seconds":60,"capacity_max":1}"#).await;
    control.admin_json("DELETE", &format!("{TOKENS}/{}", second["id"].as_str().unwrap()), "").await;
    let listed = control.admin_json("GET", TOKENS, "").await;
    assert_eq!(listed["items"][1]["state"], "revoked");

    let machine = control.join_node(1, 5).await;
    let listed = control.admin_json("GET", TOKENS, "").await;
    let used = listed["items"].as_array().unwrap().iter().find(|token| token["state"] == "used").unwrap();
    assert_eq!(used["machine_id"], json!(machine));
    // Who came with it is not forgotten when it is revoked.
    let id = used["id"].clone();
    control.admin_json("DELETE", &format!("{TOKENS}/{}", id.as_str().unwrap()), "").await;
    let listed = control.admin_json("GET", TOKENS, "").await;
    let revoked = listed["items"].as_array().unwrap().iter().find(|token| token["id"] == id).unwrap();
    assert_eq!((&revoked["state"], &revoked["machine_id"]), (&json!("revoked"), &json!(machine)));
    control.stop().await;
}

#[tokio::test]
async fn join_tokens_and_nodes_that_are_not_right_are_refused() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let absent = "2c3573b6-88de-4067-821f-1af088bd9c6a";
    let mut refusals = Vec::new();
    for (method, path, body) in [
        ("POST", TOKENS.to_owned(), r#"{"ttl_seconds":59}"#),
        ("POST", TOKENS.to_owned(), r#"{"ttl_seconds":604801}"#),
        ("POST", TOKENS.to_owned(), r#"{"ttl_seconds":"long"}"#),
        ("POST", TOKENS.to_owned(), r#"{"capacity_max":0}"#),
        ("DELETE", format!("{TOKENS}/{absent}"), ""),
        ("DELETE", format!("{TOKENS}/x"), ""),
        ("DELETE", format!("/v1/nodes/{absent}"), ""),
        ("POST", format!("/v1/nodes/{absent}/ban"), ""),
        ("POST", format!("/v1/nodes/{}/ban", absent.to_uppercase()), ""),
    ] {
        refusals.push(control.refusal(method, &path, body).await);
    }
    insta::assert_snapshot!(refusals.join("\n\n"));
    control.stop().await;
}
