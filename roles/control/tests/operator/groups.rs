// SPDX-License-Identifier: Apache-2.0
//! Container groups over the admin API: made, changed and refused.

use serde_json::{Value, json};

use crate::support::{Control, directory};

const GROUPS: &str = "/v1/organizations/acme/projects/web/containers";

fn body(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({"name": "demo", "definition": {"replicas": 2, "command": ["sleep", "infinity"]}});
    change(&mut body);
    body.to_string()
}

#[tokio::test]
async fn a_group_is_made_read_scaled_replaced_and_deleted() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    let made = control.admin_json("POST", GROUPS, &body(|_| {})).await;
    assert_eq!(made["definition"]["token_ttl_seconds"], 300);
    assert_eq!(made["placed"], 0);
    let path = format!("{GROUPS}/demo");
    assert_eq!(control.admin_json("GET", &path, "").await, made);
    assert_eq!(control.admin_json("GET", GROUPS, "").await["items"].as_array().unwrap(), std::slice::from_ref(&made));

    let scaled = control.admin_json("PUT", &format!("{path}/replicas"), r#"{"replicas":500}"#).await;
    assert_eq!((&scaled["id"], &scaled["definition"]["replicas"]), (&made["id"], &json!(500)));
    let definition = json!({"definition": {"replicas": 0, "command": ["true"]}}).to_string();
    let replaced = control.admin_json("PUT", &path, &definition).await;
    assert_eq!((&replaced["id"], &replaced["definition"]["command"]), (&made["id"], &json!(["true"])));
    assert_eq!(control.admin_json("GET", &path, "").await, replaced);

    control.admin_json("DELETE", &path, "").await;
    assert_eq!(control.admin_json("GET", GROUPS, "").await, json!({"items": []}));
    control.stop().await;
}

#[tokio::test]
async fn definitions_beyond_their_bounds_are_refused_by_field() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    control.admin_json("POST", GROUPS, &body(|_| {})).await;
    let definition = |member: &str, value: Value| {
        body(|body| {
            body["name"] = json!("other");
            body["definition"][member] = value;
        })
    };
    let mut refusals = Vec::new();
    for body in [
        body(|_| {}),
        definition("replicas", json!(501)),
        definition("replicas", json!(-1)),
        definition("command", json!([])),
        definition("command", json!("sleep")),
        definition("environment", json!({"SALAD_MACHINE_ID": "x"})),
        definition("stop_grace_seconds", json!(601)),
        definition("probes", json!({"startup": {"tcp": {"port": 0}}})),
        definition("token_ttl_seconds", json!(59)),
        definition("token_ttl_seconds", json!(3_601)),
        definition("allowed_audiences", json!(["a b"])),
        definition("allowed_audiences", Value::from((0..17).map(|n| format!("a{n}")).collect::<Vec<_>>())),
        definition("extra_claims", json!({"aud": "x"})),
        definition("extra_claims", json!({"salad_machine_id": "x"})),
        definition("extra_claims", json!({"team": [[["x"]]]})),
        definition("image", json!("alpine")),
        definition("command", json!(["echo", "x".repeat(30_000), "y".repeat(30_000), "z".repeat(10_000)])),
    ] {
        refusals.push(control.refusal("POST", GROUPS, &body).await);
    }
    for (method, path, body) in [
        ("GET", format!("{GROUPS}/absent"), ""),
        ("PUT", format!("{GROUPS}/absent/replicas"), r#"{"replicas":1}"#),
        ("PUT", format!("{GROUPS}/demo/replicas"), r#"{"replicas":501}"#),
        ("DELETE", format!("{GROUPS}/absent"), ""),
        ("POST", "/v1/organizations/acme/projects/mail/containers".to_owned(), r#"{"name":"demo"}"#),
        ("DELETE", "/v1/organizations/acme/projects/web".to_owned(), ""),
    ] {
        refusals.push(control.refusal(method, &path, body).await);
    }
    insta::assert_snapshot!(refusals.join("\n\n"));
    control.stop().await;
}

#[tokio::test]
async fn a_group_whose_token_would_be_too_long_is_refused_by_how_much() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    let long = "o".repeat(44);
    control.admin_json("POST", "/v1/organizations", &json!({"name": long}).to_string()).await;
    let projects = format!("/v1/organizations/{long}/projects");
    control.admin_json("POST", &projects, r#"{"name":"web"}"#).await;
    let groups = format!("{projects}/web/containers");
    let named = |length: usize| body(|body| body["name"] = json!("g".repeat(length)));
    // With the reference issuer the two names have 88 characters together.
    control.admin_json("POST", &groups, &named(44)).await;
    let mut refusals = vec![control.refusal("POST", &groups, &named(45)).await];
    let claims = |length: usize| body(|body| body["definition"]["extra_claims"] = json!({"team": "t".repeat(length)}));
    refusals.push(control.refusal("POST", GROUPS, &claims(200)).await);
    control.admin_json("POST", GROUPS, &claims(20)).await;
    refusals.push(control.refusal("PUT", &format!("{GROUPS}/demo"), &replacement(&claims(200))).await);
    insta::assert_snapshot!(refusals.join("\n\n"));
    control.stop().await;
}

fn replacement(creation: &str) -> String {
    let creation: Value = serde_json::from_str(creation).unwrap();
    json!({"definition": creation["definition"]}).to_string()
}
