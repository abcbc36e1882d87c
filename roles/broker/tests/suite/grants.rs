// SPDX-License-Identifier: Apache-2.0
//! Credentials that are asked for, well and badly.

use serde_json::json;

use crate::support::{Broker, eventually};

#[tokio::test]
async fn a_good_token_gets_a_credential_and_nobody_may_keep_the_answer() {
    let broker = Broker::start().await;
    let answer = broker.issue("cache-rw", &[&broker.token()], "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    let lease = answer.lease();
    assert_eq!(body["credential"]["password"], format!("secret of {lease}"));
    assert_eq!((&body["credential"]["port"], &body["renewable"]), (&json!(6379), &json!(true)));
    assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
    let grant = broker.target.state().grants[0].clone();
    assert_eq!(grant.subject.instance_id, Some(broker.issuer.identity().instance_id.to_string()));
    assert_eq!(body["credential"]["username"], grant.account.to_string());
    let metrics = broker.metrics().await;
    assert!(metrics.contains(r#"broker_issues_total{credential="cache-rw",outcome="given"} 1"#), "{metrics}");
    assert!(!metrics.contains(&broker.issuer.identity().instance_id.to_string()), "no metric names a tenant");
}

#[tokio::test]
async fn what_there_is_for_a_caller_is_listed() {
    let broker = Broker::start().await;
    let listed = broker.send("GET", "/v1/credentials", &[&broker.token()], "").await.json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["cache-rw", "computed"]);
    let first = &listed["items"][0];
    assert_eq!((&first["revocation"], &first["parameters"]), (&json!("immediately"), &json!(["database"])));
    assert_eq!((&first["ttl_seconds_max"], &first["shared"]), (&json!(3600), &json!(false)));
    assert_eq!(listed["items"][1]["revocation"], "at-expiry");
}

#[tokio::test]
async fn life_and_parameters_stay_within_what_is_configured() {
    let broker = Broker::start().await;
    let token = broker.token();
    let good =
        broker.issue("cache-rw", &[&token], r#"{"ttl_seconds":60,"parameters":{"database":"a'b\"/*+,%"}}"#).await;
    assert_eq!(good.status, 201, "{good:?}");
    let grant = broker.target.state().grants[0].clone();
    assert_eq!(grant.expires_at.saturating_since(grant.granted_at).as_secs(), 60);
    assert_eq!(grant.parameters["database"], "a'b\"/*+,%");
    for (body, code) in [
        (r#"{"ttl_seconds":0}"#, "ttl-out-of-bounds"),
        (r#"{"ttl_seconds":3601}"#, "ttl-out-of-bounds"),
        (r#"{"ttl_seconds":-1}"#, "invalid-body"),
        (r#"{"ttl_seconds":"60"}"#, "invalid-body"),
        (r#"{"ttl":60}"#, "invalid-body"),
        (r#"{"parameters":{"table":"x"}}"#, "parameter-refused"),
        (r#"{"parameters":{"database":"a\u0000b"}}"#, "parameter-refused"),
        (r#"{"parameters":{"database":"a\nb"}}"#, "parameter-refused"),
        (r#"{"parameters":{"database":5}}"#, "invalid-body"),
        ("[]", "invalid-body"),
        ("{", "invalid-body"),
    ] {
        let answer = broker.issue("cache-rw", &[&token], body).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}: {answer:?}");
    }
    let answer = broker.send("POST", "/v1/credentials/cache-rw", &[&token, "Content-Type: text/plain"], "{}").await;
    assert_eq!(answer.refusal(), (415, "unsupported-media-type".to_owned()));
    let answer = broker.issue("cache-rw", &[&token], &" ".repeat(70_000)).await;
    assert_eq!(answer.refusal(), (413, "body-too-large".to_owned()));
    assert_eq!(broker.target.state().grants.len(), 1, "nothing else was made");
}

#[tokio::test]
async fn the_same_request_with_the_same_key_has_the_same_answer() {
    let broker = Broker::start().await;
    let token = broker.token();
    let key = "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324";
    let first = broker.issue("cache-rw", &[&token, key], r#"{"ttl_seconds":60}"#).await;
    let again = broker.issue("cache-rw", &[&broker.token(), key], r#"{"ttl_seconds":60}"#).await;
    assert_eq!((first.status, &first.body), (201, &again.body), "{again:?}");
    assert_eq!(broker.target.state().grants.len(), 1);
    let other = broker.issue("cache-rw", &[&token, key], r#"{"ttl_seconds":61}"#).await;
    assert_eq!(other.refusal(), (422, "idempotency-key-reused".to_owned()));
    let other = broker.issue("computed", &[&token, key], r#"{"ttl_seconds":60}"#).await;
    assert_eq!(other.refusal(), (422, "idempotency-key-reused".to_owned()));
    // The key is nobody else's.
    let stranger = broker.token_with(&json!({"salad_instance_id": "00000000-0000-4000-8000-000000000001"}));
    let theirs = broker.issue("cache-rw", &[&stranger, key], r#"{"ttl_seconds":60}"#).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.lease(), first.lease());
    for bad in ["Idempotency-Key:", "Idempotency-Key: a\r\nIdempotency-Key: a"] {
        let answer = broker.issue("cache-rw", &[&token, bad], "").await;
        assert_eq!(answer.refusal(), (400, "idempotency-key-malformed".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn caps_count_an_instance_and_its_group() {
    let broker = Broker::start_with(|config| {
        let cache = config.credentials.get_mut(&"cache-rw".parse().unwrap()).unwrap();
        (cache.active_per_instance_max, cache.active_per_group_max) = (2, 3);
    })
    .await;
    let instance =
        |last: u8| broker.token_with(&json!({"salad_instance_id": format!("00000000-0000-4000-8000-{last:012}")}));
    let first = broker.issue("cache-rw", &[&instance(1)], "").await.lease();
    broker.issue("cache-rw", &[&instance(1)], "").await.lease();
    let third = broker.issue("cache-rw", &[&instance(1)], "").await;
    assert_eq!(third.refusal(), (429, "too-many-leases".to_owned()));
    broker.issue("cache-rw", &[&instance(2)], "").await.lease();
    let fourth = broker.issue("cache-rw", &[&instance(3)], "").await;
    assert_eq!(fourth.refusal(), (429, "too-many-leases".to_owned()));
    assert!(fourth.body.contains("container group"), "{fourth:?}");
    let ended = broker.send("DELETE", &format!("/v1/leases/{first}"), &[&instance(1)], "").await;
    assert_eq!(ended.status, 204, "{ended:?}");
    eventually("room for another", async || {
        (broker.issue("cache-rw", &[&instance(3)], "").await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_target_that_fails_is_not_quoted() {
    let broker = Broker::start().await;
    broker.target.state().refuses = true;
    let refused = broker.issue("cache-rw", &[&broker.token()], "").await;
    assert_eq!(refused.refusal(), (502, "target-refused".to_owned()));
    assert!(!refused.body.contains("admin_of_everything"), "{refused:?}");
    (broker.target.state().refuses, broker.target.state().is_away) = (false, true);
    let away = broker.issue("cache-rw", &[&broker.token()], "").await;
    assert_eq!(away.refusal(), (503, "target-unavailable".to_owned()));
    assert!(away.header("retry-after").is_some() && !away.body.contains("10.1.2.3"), "{away:?}");
    assert_eq!(
        broker.issue("computed", &[&broker.token()], "").await.refusal(),
        (503, "target-unavailable".to_owned())
    );
}

#[tokio::test]
async fn all_of_a_group_share_one_credential_where_the_operator_says_so() {
    let broker = Broker::start_with(|config| {
        let cache = config.credentials.get_mut(&"cache-rw".parse().unwrap()).unwrap();
        cache.shared = Some(cress_broker::Shared::Group);
    })
    .await;
    let of = |instance: &str, group: &str| {
        broker.token_with(&json!({"salad_instance_id": instance, "salad_workload_id": group}))
    };
    let [one, two] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
    let first = broker.issue("cache-rw", &[&of(one, one)], "").await;
    let same = broker.issue("cache-rw", &[&of(two, one)], "").await;
    assert_eq!((first.lease(), first.json()["credential"].clone()), (same.lease(), same.json()["credential"].clone()));
    let other = broker.issue("cache-rw", &[&of(two, two)], "").await;
    assert_ne!(first.lease(), other.lease());
    let none = broker.token_with(&json!({"salad_workload_id": null}));
    assert_eq!(broker.issue("cache-rw", &[&none], "").await.refusal(), (403, "credential-not-permitted".to_owned()));
}
