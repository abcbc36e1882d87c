// SPDX-License-Identifier: Apache-2.0
//! The public API, as verifiers, load balancers and the curious see it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Control, config, directory, header};

const JWKS: &str = "/.well-known/workload-jwks.json";
const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn the_key_set_holds_public_members_only_oldest_first() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let answer = control.public("GET", JWKS, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    assert_eq!(header(&answer, "cache-control"), Some("public, max-age=3600"));
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["crv", "kid", "kty", "use", "x", "y"]);
    }
    assert!(keys[0]["kid"].as_str().unwrap() < keys[1]["kid"].as_str().unwrap());
    assert_eq!(control.public("GET", JWKS, "").await.body, answer.body);
    control.stop().await;
}

#[tokio::test]
async fn documents_are_sent_once_and_then_confirmed() {
    let directory = directory();
    let mut config = config(&directory);
    config.schedule.jwks_cache_seconds = 60;
    let control = Control::start_with(config).await;
    for path in [JWKS, DISCOVERY] {
        let full = control.public("GET", path, "").await;
        let tag = header(&full, "etag").unwrap().to_owned();
        let known = control.public("GET", path, &format!("If-None-Match: W/\"x\", {tag}\r\n")).await;
        assert_eq!((known.status, known.body.as_str()), (304, ""));
        assert_eq!(header(&known, "etag"), Some(tag.as_str()));
        assert_eq!(header(&known, "cache-control"), Some("public, max-age=60"));
        assert_eq!(control.public("GET", path, "If-None-Match: \"x\"\r\n").await.status, 200);

        let head = control.public("HEAD", path, "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(header(&head, "etag"), Some(tag.as_str()));
        assert_eq!(header(&head, "content-length").unwrap(), full.body.len().to_string());
    }
    control.stop().await;
}

#[tokio::test]
async fn discovery_names_the_issuer_and_where_its_keys_are() {
    let directory = directory();
    let mut config = config(&directory);
    config.public_url = Some("https://control.example/base/".parse().unwrap());
    let control = Control::start_with(config).await;
    let document: Value = serde_json::from_str(&control.public("GET", DISCOVERY, "").await.body).unwrap();
    assert_eq!(document["issuer"], "https://matrix-api.salad.io");
    assert_eq!(document["jwks_uri"], "https://control.example/base/.well-known/workload-jwks.json");
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES256"]));
    assert_eq!(document["response_types_supported"], json!(["id_token"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    assert_eq!(control.started.jwks_url, document["jwks_uri"]);
    control.stop().await;
}

#[tokio::test]
async fn whoever_asks_for_anything_else_gets_a_problem() {
    let directory = directory();
    let control = Control::start(&directory).await;
    for (method, path, status, text) in [
        ("GET", "/", 404, "not-found"),
        ("GET", "/metrics", 404, "not-found"),
        ("GET", "/v1/organizations", 404, "not-found"),
        ("GET", "/.well-known/workload-jwks.json/", 404, "not-found"),
        ("POST", JWKS, 405, "method-not-allowed"),
        ("DELETE", "/healthz", 405, "method-not-allowed"),
    ] {
        let answer = control.public(method, path, "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(header(&answer, "content-type"), Some("application/problem+json"));
        assert!(answer.body.contains(text) && !answer.body.contains(path) || path == "/", "{}", answer.body);
    }
    control.stop().await;
}

#[tokio::test]
async fn control_is_well_until_its_keys_are_too_old() {
    let directory = directory();
    let control = Control::start(&directory).await;
    for path in ["/healthz", "/readyz"] {
        let answer = control.public("GET", path, "").await;
        assert_eq!((answer.status, header(&answer, "cache-control")), (200, Some("no-store")), "{answer:?}");
    }
    // Longer than control may go on without its store's word; the ring looks again only half a minute of real time later.
    control.clock.advance(Duration::from_secs(13 * 3_600));
    let answer = control.public("GET", "/readyz", "").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    assert!(answer.body.contains(r#""keys":["no key may sign"#), "{}", answer.body);
    let keys = control.public("GET", JWKS, "").await;
    assert_eq!((keys.status, header(&keys, "cache-control")), (503, Some("no-store")), "{keys:?}");
    assert_eq!(control.public("GET", "/healthz", "").await.status, 200);
    control.stop().await;
}

#[tokio::test]
async fn metrics_tell_of_keys_and_fleet() {
    let directory = directory();
    let control = Control::start(&directory).await;
    control.join_node(1, 3).await;
    crate::support::eventually(|| async {
        let text = control.metrics().await;
        // The second key was born a microsecond after the first, and signs a week after its birth.
        let lines = [
            "control_nodes 1",
            "control_nodes_connected 0",
            r#"control_keys{state="active"} 1"#,
            r#"control_keys{state="next"} 1"#,
            "control_key_switch_in_seconds 604800.000001",
            "control_fleet_age_seconds 0.0",
            "control_tokens_issued_total 0",
        ];
        lines.iter().all(|line| text.lines().any(|one| one == *line)).then_some(()).ok_or(text)
    })
    .await;
    control.stop().await;
}
