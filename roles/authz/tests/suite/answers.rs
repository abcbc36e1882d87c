// SPDX-License-Identifier: Apache-2.0
//! What is answered to which token, at which path, by which rule.

use cress_authz::Access;
use cress_testkit::bad_tokens;
use serde_json::json;

use crate::support::{Service, lines, rule};

async fn service() -> Service {
    let rules = vec![
        rule("public", |rule| {
            rule.path = Some("/public".to_owned());
            rule.access = Access::Public;
        }),
        rule("closed", |rule| {
            rule.path = Some("/closed".to_owned());
            rule.access = Access::Deny;
        }),
        rule("vision", |rule| {
            rule.path = Some("/vision".to_owned());
            rule.claims = vec!["team=vision|audio".to_owned(), "/roles/list=writer".to_owned()];
        }),
        rule("dry", |rule| {
            rule.path = Some("/dry".to_owned());
            rule.claims = vec!["team=nobody".to_owned()];
            rule.dry_run = true;
        }),
        rule("api", |rule| rule.path = Some("/api".to_owned())),
    ];
    Service::start(rules, |_| {}).await
}

#[tokio::test]
async fn each_request_is_decided_by_its_rule() {
    let service = service().await;
    let good = service.token(&json!({"team": "vision", "roles": {"list": ["reader", "writer"]}}));
    let other = service.token(&json!({"team": "sound"}));
    for (path, token, status, code) in [
        ("/api", Some(&good), 200, ""),
        ("/api/x?y=z", Some(&other), 200, ""),
        ("/api", None, 401, "token-missing"),
        ("/apix", Some(&good), 403, "no-rule"),
        ("/", Some(&good), 403, "no-rule"),
        ("/public/x", None, 200, ""),
        ("/closed", Some(&good), 403, "denied"),
        ("/vision", Some(&good), 200, ""),
        ("/vision", Some(&other), 403, "claim-rule-failed"),
        ("/dry", Some(&other), 200, ""),
        ("/dry", None, 200, ""),
        ("/api//x", Some(&good), 400, "path-ambiguous"),
        ("/public/../api", Some(&good), 400, "path-ambiguous"),
        ("/public/%2e%2e/api", Some(&good), 400, "path-ambiguous"),
        ("/public;x", Some(&good), 400, "path-ambiguous"),
    ] {
        let uri = format!("X-Original-URI: {path}");
        let authorization = token.map(|token| format!("Authorization: Bearer {token}"));
        let headers: Vec<&str> = [uri.as_str()].into_iter().chain(authorization.as_deref()).collect();
        let answer = service.get("/verify", &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {answer:?}");
        assert_eq!(answer.body.is_empty(), status == 200, "{path}");
        // A second time from memory, and the same.
        assert_eq!(service.get("/verify", &headers).await.status, status, "{path}");
        // nginx would make 500 of 400.
        let nginx = service.get("/verify/nginx", &headers).await.status;
        assert_eq!(nginx, if status == 400 { 403 } else { status }, "{path}");
    }
    let metrics = service.metrics().await;
    for line in [
        r#"authz_decisions_total{rule="api",outcome="permitted",reason="none"} 6"#,
        r#"authz_decisions_total{rule="dry",outcome="would-be-refused",reason="token-missing"} 3"#,
        r#"authz_decisions_total{rule="no rule",outcome="refused",reason="path-ambiguous"} 12"#,
        r#"authz_keys_usable{issuer="https://issuer.test"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

/// ingress-nginx is an nginx: of a 400 it would make a 500.
#[tokio::test]
async fn nginx_is_answered_what_it_can_pass_on() {
    let service = service().await;
    let good = format!("Authorization: Bearer {}", service.token(&json!({})));
    for (url, token, status, code) in [
        ("https://api.example/api", good.as_str(), 200, ""),
        ("https://api.example/api//x", &good, 403, "path-ambiguous"),
        ("/api", &good, 403, "url-malformed"),
        ("https://api.example/api", "Authorization: Bearer a b", 403, "authorization-malformed"),
        ("https://api.example/api", "Authorization: Bearer x.y.z", 401, "token-malformed"),
        ("https://api.example/other", &good, 403, "no-rule"),
    ] {
        let url = format!("X-Original-URL: {url}");
        let answer = service.get("/verify/ingress-nginx", &[&url, token]).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{url} {answer:?}");
    }
}

#[tokio::test]
async fn every_wrong_token_is_refused_with_a_challenge() {
    let service = Service::start(vec![rule("all", |_| {})], |_| {}).await;
    let good = service.get("/verify", &[&format!("Authorization: Bearer {}", service.token(&json!({})))]).await;
    assert_eq!(good.status, 200, "{good:?}");
    let mut refused = 0;
    for bad in bad_tokens(&service.issuer) {
        let is_sendable = !bad.token.is_empty() && bad.token.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        // An unknown key is waited for, in real time; that is proved where keys are fetched.
        if !is_sendable || bad.code == "key-unknown" {
            continue;
        }
        let answer = service.get("/verify", &[&format!("Authorization: Bearer {}", bad.token)]).await;
        // This issuer's entry does not ask for the claims of workloads.
        if answer.status == 200 {
            assert!(
                matches!(bad.code, "claim-missing" | "lifetime-too-long" | "claim-rule-failed"),
                "{}: {answer:?}",
                bad.name
            );
            continue;
        }
        assert!([400, 401].contains(&answer.status), "{}: {answer:?}", bad.name);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"workloads\", error=\"invalid_"), "{challenge}");
        assert!(!answer.head.contains(&bad.token), "{}", bad.name);
        refused += 1;
    }
    assert!(refused > 30, "{refused}");
}

#[tokio::test]
async fn a_body_may_hold_the_token_where_that_is_said() {
    let service = Service::start(vec![rule("all", |_| {})], |config| {
        config.token.body_field = Some("jwt".to_owned());
        config.limits.body_bytes_max = 4_096;
    })
    .await;
    let token = service.token(&json!({}));
    let post = async |body: String| {
        let head = lines(&["Host: authz", "Connection: close", &format!("Content-Length: {}", body.len())]);
        service.send(format!("POST /verify/envoy/api HTTP/1.1\r\n{head}\r\n{body}").as_bytes()).await
    };
    for (body, status) in [
        (format!(r#"{{"jwt":"{token}","other":1}}"#), 200),
        (format!(r#"{{"jwt":"{token}","jwt":"{token}"}}"#), 400),
        (format!(r#"{{"other":"{token}"}}"#), 401),
        (format!(r#"{{"jwt":"{token}""#), 400),
        (String::new(), 401),
        (format!(r#"{{"jwt":"{token}","x":"{}"}}"#, "x".repeat(5_000)), 413),
    ] {
        let answer = post(body.clone()).await;
        assert_eq!(answer.status, status, "{body:.60} {answer:?}");
    }
    // In the header it is not looked for then.
    let header = service.get("/verify", &[&format!("Authorization: Bearer {token}")]).await;
    assert_eq!(header.status, 401);
}

#[tokio::test]
async fn health_and_readiness_are_told_and_nothing_else_is_there() {
    let service = service().await;
    for (path, status) in
        [("/healthz", 200), ("/readyz", 200), ("/", 404), ("/verify/", 404), ("/verify/apache", 404), ("/metrics", 404)]
    {
        assert_eq!(service.get(path, &[]).await.status, status, "{path}");
    }
    let answer =
        service.send(b"POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answer.status, 405);
}
