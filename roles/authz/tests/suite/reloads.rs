// SPDX-License-Identifier: Apache-2.0
//! New configurations, good and bad, while requests go on.

use std::time::Duration;

use serde_json::json;

use crate::support::{Service, rule};

/// Asks until the answer has this status.
async fn until(service: &Service, token: &str, status: u16) {
    let patience = async {
        while service.get("/verify", &[token]).await.status != status {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patience).await.expect("the status in time");
}

/// Waits until so many configurations were refused.
async fn until_failed(service: &Service, count: usize) {
    let line = format!("authz_reloads_failed_total {count}");
    let failed = async {
        while !service.metrics().await.contains(&line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), failed).await.expect("a failed reload");
}

#[tokio::test]
async fn a_good_one_is_taken_and_a_bad_one_is_not() {
    let service = Service::start(vec![rule("all", |_| {})], |_| {}).await;
    let token = format!("Authorization: Bearer {}", service.token(&json!({"team": "vision"})));
    until(&service, &token, 200).await;
    service.reload(|config| config.rules[0].claims = vec!["team=audio".to_owned()]);
    until(&service, &token, 403).await;
    service.reload(|config| config.rules[0].claims = vec!["team=vision".to_owned()]);
    until(&service, &token, 200).await;

    service.reload(|config| config.rules[0].path = Some("no path".to_owned()));
    until_failed(&service, 1).await;
    assert_eq!(service.get("/verify", &[&token]).await.status, 200);

    // Another source of keys that has none: the old ones stay until it has.
    let keys = service.directory.path().join("none.json");
    service.reload(|config| {
        config.rules[0].path = None;
        config.issuers[0].jwks_file = Some(keys.clone());
    });
    until_failed(&service, 2).await;
    assert_eq!(service.get("/verify", &[&token]).await.status, 200);
    std::fs::write(&keys, r#"{"keys":[]}"#).unwrap();
    until(&service, &token, 401).await;
}

#[tokio::test]
async fn counters_of_rules_that_are_no_more_are_forgotten() {
    let rules = vec![rule("stays", |rule| rule.path = Some("/a".to_owned())), rule("goes", |_| {})];
    let service = Service::start(rules, |_| {}).await;
    let token = format!("Authorization: Bearer {}", service.token(&json!({})));
    let ask = async |path: &str| {
        let uri = format!("X-Original-URI: {path}");
        (service.get("/verify/nginx", &[&uri, &token]).await.status, service.get("/verify/nginx", &[&uri]).await.status)
    };
    assert_eq!((ask("/a").await, ask("/b").await), ((200, 401), (200, 401)));
    assert_eq!(service.metrics().await.matches("rule=\"goes\"").count(), 2);
    service.reload(|config| config.rules[1].name = "comes".to_owned());
    let renamed = async {
        while service.metrics().await.contains("rule=\"goes\"") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), renamed).await.expect("the new rules");
    assert_eq!(ask("/b").await, (200, 401));
    let metrics = service.metrics().await;
    for line in [
        r#"authz_decisions_total{rule="stays",outcome="permitted",reason="none"} 1"#,
        r#"authz_decisions_total{rule="comes",outcome="refused",reason="token-missing"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
