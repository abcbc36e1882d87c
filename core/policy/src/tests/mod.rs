// SPDX-License-Identifier: Apache-2.0
//! What policies decide, and that nothing a tenant chooses changes it.

mod issue;
mod loading;
mod properties;

use cress_domain::Timestamp;
use serde_json::{Map, Value, json};

use crate::*;

fn types() -> ClaimTypes {
    let declared = json!({
        "team": {"claim": "team", "type": "string", "chosen_by_tenants": true},
        "level": {"claim": "level", "type": "long"},
        "admin": {"claim": "admin", "type": "bool"},
        "roles": {"claim": "roles", "type": "strings"},
        "namespace": {"claim": "/kubernetes.io/namespace", "type": "string"},
    });
    serde_json::from_value(declared).unwrap()
}

fn policies(text: &str) -> Policies {
    Policies::parse(text, &types()).unwrap()
}

/// A permit for this action, if the condition holds.
fn permit(condition: &str) -> String {
    format!("@id(\"p\") permit (principal, action == Cress::Action::\"access\", resource) when {{ {condition} }};")
}

fn forbid(condition: &str) -> String {
    format!("@id(\"f\") forbid (principal, action == Cress::Action::\"access\", resource) when {{ {condition} }};")
}

fn claims(changes: &Value) -> Map<String, Value> {
    let mut claims = json!({
        "iss": "https://issuer.example", "sub": "machine-1", "aud": ["reports", "other"], "exp": 1_743_101_746, "iat": 1_743_101_446,
        "jti": "t-1", "salad_organization_id": "o-1", "salad_organization_name": "acme", "salad_workload_id": "g-1",
        "salad_workload_name": "worker", "salad_instance_id": "i-1", "salad_machine_id": "machine-1",
        "team": "vision", "level": 3, "admin": false, "roles": ["reader", "writer"], "kubernetes.io": {"namespace": "prod"},
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object().unwrap().clone()
}

fn request<'a>(method: &'a str, path: &'a str) -> Request<'a> {
    Request {
        what: What::Access { method, host: "api.example", path },
        time: Timestamp::from_unix_seconds(1_743_101_500),
        source_address: Some("10.1.2.3".parse().unwrap()),
    }
}

fn decide(text: &str, changes: &Value) -> Decision {
    policies(text).rehearse(&claims(changes), &request("GET", "/reports/7")).0
}

#[test]
fn policies_see_claims_and_requests() {
    for (condition, is_permitted) in [
        (r#"principal.issuer == "https://issuer.example""#, true),
        (r#"principal.issuer == "https://other.example""#, false),
        (r#"principal.audiences.contains("reports")"#, true),
        (r#"principal has group_id && principal.group_id == "g-1""#, true),
        (r#"principal has group_id && principal.group_id == "g-2""#, false),
        (r#"principal has instance_id && principal.instance_id == "i-1""#, true),
        (r#"principal has subject && principal.subject == "machine-1""#, true),
        (r#"principal.claims has team && principal.claims.team == "vision""#, true),
        (r#"principal.claims has level && principal.claims.level >= 3"#, true),
        (r#"principal.claims has admin && principal.claims.admin"#, false),
        (r#"principal.claims has roles && principal.claims.roles.contains("writer")"#, true),
        (r#"principal.claims has namespace && principal.claims.namespace == "prod""#, true),
        (r#"context.method == "GET" && context.host == "api.example""#, true),
        (r#"context.path like "/reports/*""#, true),
        (r#"context.path like "/admin/*""#, false),
        (r#"resource == Cress::Service::"api.example""#, true),
        (r#"context has source_address && context.source_address.isInRange(ip("10.0.0.0/8"))"#, true),
        (r#"context has source_address && context.source_address.isLoopback()"#, false),
        (r#"context.time < datetime("2025-03-28")"#, true),
        (r#"principal.expires_at > context.time"#, true),
    ] {
        let decision = decide(&permit(condition), &json!({}));
        assert_eq!(decision.is_permitted(), is_permitted, "{condition}");
        let why = if is_permitted { (Why::Permitted, vec!["p".to_owned()]) } else { (Why::NotPermitted, Vec::new()) };
        assert_eq!((decision.why.clone(), decision.decided_by.clone()), why, "{condition}");
    }
}

#[test]
fn a_forbid_counts_more_than_any_permit() {
    let both = format!("{}\n{}", permit("true"), forbid(r#"context.path like "/reports/*""#));
    let decision = decide(&both, &json!({}));
    assert_eq!((decision.why(), decision.decided_by()), (&Why::Forbidden, &["f".to_owned()][..]));
}

#[test]
fn a_credential_is_given_by_its_name_time_and_parameters() {
    let policies = policies(
        r#"permit (principal, action == Cress::Action::"issue", resource == Cress::Credential::"reports-db")
           when { context.ttl_seconds <= 900 && context.parameters.contains("role=reader") };"#,
    );
    for (credential, ttl_seconds, parameters, is_permitted) in [
        ("reports-db", 900, &[("role", "reader")][..], true),
        ("reports-db", 901, &[("role", "reader")], false),
        ("other-db", 900, &[("role", "reader")], false),
        ("reports-db", 900, &[("role", "reader=")], false),
        ("reports-db", 900, &[("role=reader", "")], false),
        ("reports-db", 900, &[], false),
    ] {
        let what = What::Issue { credential, ttl_seconds, parameters };
        let request = Request { what, time: Timestamp::from_unix_seconds(1_743_101_500), source_address: None };
        assert_eq!(
            policies.rehearse(&claims(&json!({})), &request).is_permitted(),
            is_permitted,
            "{credential} {parameters:?}"
        );
    }
}

#[test]
fn a_claim_of_the_wrong_type_refuses_before_cedar_is_asked() {
    for (name, value) in [
        ("iss", json!(null)),
        ("iss", json!(5)),
        ("aud", json!(5)),
        ("aud", json!(["a", 5])),
        ("exp", json!("soon")),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("iat", json!(1e300)),
        ("salad_workload_id", json!(7)),
        ("salad_workload_name", json!(["worker"])),
        ("salad_instance_id", json!({})),
        ("team", json!(true)),
        ("level", json!(3.5)),
        ("level", json!("3")),
        ("level", json!(u64::MAX)),
        ("admin", json!("true")),
        ("roles", json!("reader")),
        ("roles", json!(["reader", 1])),
        ("kubernetes.io", json!({"namespace": 1})),
    ] {
        let decision = decide(&permit("true"), &json!({ name: value }));
        assert!(matches!(decision.why(), Why::ClaimType { .. }), "{name}: {value}: {decision:?}");
        // Not even where a policy does not look at it: a forbid elsewhere might have.
        assert!(!decision.is_permitted());
    }
}

#[test]
fn a_policy_that_fails_refuses() {
    // Strict validation leaves overflows, which no type excludes.
    let text =
        format!("{}\n{}", permit("true"), forbid("principal.claims has level && principal.claims.level * 4 > 9"));
    assert!(decide(&text, &json!({"level": 1})).is_permitted());
    let decision = decide(&text, &json!({ "level": i64::MAX }));
    assert_eq!((decision.why(), decision.decided_by()), (&Why::PolicyFailed, &["f".to_owned()][..]));
}

#[test]
fn what_a_token_leaves_out_matches_nothing() {
    let bare = json!({"iss": "https://issuer.example", "exp": 1_743_101_746});
    let policies = policies(&permit(r#"principal has group_id && principal.group_id == "g-1""#));
    assert!(!policies.rehearse(bare.as_object().unwrap(), &request("GET", "/")).is_permitted());
}
