// SPDX-License-Identifier: Apache-2.0
//! Games with headers: a client's own, repeated ones, and claims that would like to be more than a value.

use serde_json::json;

use crate::support::{Service, rule};

#[tokio::test]
async fn identity_headers_are_always_all_there() {
    let service = Service::start(
        vec![rule("all", |rule| rule.headers = Some([("X-Only".to_owned(), "sub".to_owned())].into()))],
        |_| {},
    )
    .await;
    let token = service.token(&json!({"sub": "machine-1"}));
    let answer =
        service.get("/verify", &[&format!("Authorization: Bearer {token}"), "X-Sub: forged", "X-Only: forged"]).await;
    assert_eq!((answer.status, answer.header("x-only")), (200, Some("machine-1")));
    // The other rules' headers are there and empty, so that the client's own are overwritten.
    for name in ["x-sub", "x-group", "x-team"] {
        assert_eq!(answer.header(name), Some(""), "{name} {answer:?}");
    }
    assert!(!answer.head.contains("forged"));
}

#[tokio::test]
async fn claims_stay_one_value_of_one_header() {
    let service = Service::start(vec![rule("all", |_| {})], |_| {}).await;
    for (team, header) in [
        (json!("vision"), "vision"),
        (json!("a\r\nX-Sub: admin"), "a%0D%0AX-Sub:%20admin"),
        (json!("naïve, team"), "na%C3%AFve%2C%20team"),
        (json!(["a", "b,c"]), "a,b%2Cc"),
        (json!(7), "7"),
        (json!(null), ""),
        (json!({"x": 1}), ""),
    ] {
        let token = service.token(&json!({ "team": team }));
        let answer = service.get("/verify", &[&format!("Authorization: Bearer {token}")]).await;
        assert_eq!((answer.status, answer.header("x-team")), (200, Some(header)), "{team}");
        assert_eq!(answer.header("x-sub").map(|sub| sub == "admin"), Some(false));
    }
    let long = service.token(&json!({ "team": "x".repeat(2_049) }));
    let answer = service.get("/verify", &[&format!("Authorization: Bearer {long}")]).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "claim-too-long"));
}

#[tokio::test]
async fn repeated_and_contradicting_headers_are_refused() {
    let service = Service::start(vec![rule("a", |rule| rule.path = Some("/a".to_owned()))], |_| {}).await;
    let token = format!("Authorization: Bearer {}", service.token(&json!({})));
    for (path, headers, status, code) in [
        ("/verify", vec!["X-Original-URI: /a", &token], 200, ""),
        ("/verify", vec!["X-Original-URI: /a", &token, &token], 400, "authorization-repeated"),
        ("/verify", vec!["X-Original-URI: /a", &token, "authorization: Basic eDp5"], 400, "authorization-repeated"),
        ("/verify", vec!["X-Original-URI: /a", "X-Original-URI: /a", &token], 400, "request-contradictory"),
        ("/verify", vec!["X-Original-URI: /a", "X-Forwarded-Uri: /b", &token], 400, "request-contradictory"),
        ("/verify", vec!["X-Forwarded-Uri: /a", &token], 200, ""),
        ("/verify/nginx", vec!["X-Original-URI: /a", "X-Forwarded-Uri: /b", &token], 200, ""),
        ("/verify/nginx", vec!["X-Forwarded-Uri: /a", &token], 403, "request-not-told"),
        ("/verify/traefik", vec!["X-Forwarded-Uri: /a", "X-Original-URI: /b", &token], 200, ""),
        ("/verify/traefik", vec!["X-Original-URI: /a", &token], 400, "request-not-told"),
        ("/verify/envoy/a", vec!["X-Original-URI: /b", "X-Forwarded-Uri: /b", &token], 200, ""),
        ("/verify/envoy/b", vec!["X-Original-URI: /a", &token], 403, "no-rule"),
        ("/verify", vec![&token], 400, "request-not-told"),
        ("/verify", vec!["X-Original-URI: /a", "X-Original-Method: get", &token], 400, "method-malformed"),
        ("/verify", vec!["X-Original-URI: /a", "X-Original-Host: a b", &token], 400, "host-malformed"),
        ("/verify", vec!["X-Original-URI: /a", "Authorization: Bearer a b"], 400, "authorization-malformed"),
        ("/verify", vec!["X-Original-URI: /a", "Authorization: Basic eDp5"], 401, "token-missing"),
        ("/verify", vec!["X-Original-URI: /a", "Authorization_: Bearer x"], 401, "token-missing"),
    ] {
        let answer = service.get(path, &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {headers:?} {answer:?}");
    }
}
