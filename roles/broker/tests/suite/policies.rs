// SPDX-License-Identifier: Apache-2.0
//! Policies decide, and whatever goes wrong with one denies.

use serde_json::{Value, json};

use crate::support::{Answer, Broker, eventually, permit};

/// A broker with these policies at work.
async fn with(policies: &str) -> Broker {
    Broker::start_with(|config| std::fs::write(&config.policies.files[0], policies).unwrap()).await
}

async fn ask(broker: &Broker, changes: Value, body: &str) -> Answer {
    broker.issue("cache-rw", &[&broker.token_with(&changes)], body).await
}

fn denied() -> (u16, String) {
    (403, "credential-not-permitted".to_owned())
}

#[tokio::test]
async fn who_may_not_learns_no_more_than_who_asks_for_nothing() {
    let broker = with(&permit("other", "principal has group_id && principal.group_id == \"secret-group\"")).await;
    let refused = ask(&broker, json!({}), "").await;
    assert_eq!(refused.refusal(), denied());
    let unknown = broker.issue("nothing-like-it", &[&broker.token()], "").await;
    assert_eq!(refused.body, unknown.body);
    assert!(!refused.body.contains("secret-group") && !refused.body.contains("other"));
    let listed = broker.send("GET", "/v1/credentials", &[&broker.token()], "").await.json();
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn life_parameters_time_and_place_can_be_decided_about() {
    let broker = with(
        "@id(\"all\") permit (principal, action == Cress::Action::\"issue\", resource == Cress::Credential::\"cache-rw\")
         when { principal has organization_id && context.ttl_seconds <= 900 && context.time < datetime(\"2100-01-01\") &&
                context has source_address && context.source_address.isLoopback() };
         @id(\"no-admin\") forbid (principal, action == Cress::Action::\"issue\", resource) when { context.parameters.contains(\"database=admin\") };",
    )
    .await;
    assert_eq!(ask(&broker, json!({}), "").await.status, 201);
    assert_eq!(ask(&broker, json!({}), r#"{"ttl_seconds":901}"#).await.refusal(), denied());
    assert_eq!(ask(&broker, json!({}), r#"{"parameters":{"database":"orders"}}"#).await.status, 201);
    assert_eq!(ask(&broker, json!({}), r#"{"parameters":{"database":"admin"}}"#).await.refusal(), denied());
    assert_eq!(broker.issue("computed", &[&broker.token()], "").await.refusal(), denied());
}

#[tokio::test]
async fn what_cannot_be_evaluated_denies_and_so_does_a_wrong_type() {
    let broker = with(&format!(
        "{}@id(\"overflow\") forbid (principal, action == Cress::Action::\"issue\", resource) when {{ context.ttl_seconds * 9223372036854775807 > 0 }};",
        permit("all", "principal has organization_id && context.ttl_seconds > 0")
    ))
    .await;
    assert_eq!(ask(&broker, json!({}), r#"{"ttl_seconds":2}"#).await.refusal(), denied());
    let broker = Broker::start().await;
    // It identifies nobody here, and policies may look at it: it is no text.
    assert_eq!(ask(&broker, json!({"salad_workload_name": 5}), "").await.refusal(), denied());
}

#[tokio::test]
async fn a_tenants_strings_are_data() {
    let broker = with(&permit("one", r#"principal has group_id && principal.group_id like "team-*""#)).await;
    for (group, status) in [
        ("team-a", 201),
        ("*", 403),
        ("x\" || true || \"", 403),
        ("\\\" }; permit (principal, action, resource); //", 403),
        ("team-*,/+'; DROP TABLE leases; --", 201),
    ] {
        let answer = ask(&broker, json!({"salad_workload_id": group}), "").await;
        assert_eq!(answer.status, status, "{group}: {answer:?}");
    }
    let accounts = broker.target.state().accounts.clone();
    assert_eq!(accounts.len(), 2);
    assert!(accounts.iter().all(|account| account.to_string().starts_with("cress_")));
}

#[tokio::test]
async fn what_was_decided_before_does_not_outlive_its_policies() {
    let broker = Broker::start().await;
    let token = broker.token();
    for _ in 0..3 {
        assert_eq!(broker.issue("computed", &[&token], "").await.status, 201);
    }
    broker.write_policies(&permit("nobody", "principal has organization_id && principal.organization_id == \"x\""));
    eventually("the new policies", async || {
        (broker.issue("computed", &[&token], "").await.status == 403).then_some(())
    })
    .await;
}
