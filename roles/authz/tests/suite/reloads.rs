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
