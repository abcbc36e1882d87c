// SPDX-License-Identifier: Apache-2.0
//! What the tools say is what the broker decides, case by case.

use serde_json::json;

use super::*;

const POLICIES: &str = r#"
@id("workers")
permit (principal, action == Cress::Action::"issue", resource == Cress::Credential::"cache-rw")
when { principal has group_id && principal.group_id == "g-1" && context.ttl_seconds <= 600 };
@id("readers")
permit (principal, action == Cress::Action::"issue", resource == Cress::Credential::"reports-db")
when { principal has organization_name && principal.organization_name == "acme" && context.parameters.contains("role=reader") };
@id("night")
forbid (principal, action == Cress::Action::"issue", resource)
when { context has source_address && context.source_address.isInRange(ip("10.9.0.0/16")) };
"#;

/// One organization's tokens are accepted without the broker's audience.
const CONFIG: &str = r#"
audience = "https://broker.example"
[issuers.fleet]
issuer = "https://issuer.example"
jwks_url = "https://issuer.example/jwks"
[issuers.salad]
issuer = "https://salad.example"
jwks_url = "https://salad.example/jwks"
accept_organization_audience = true
organizations = ["2c3573b6-88de-4067-821f-1af088bd9c6a"]
[providers.cache]
type = "redis"
[credentials.cache-rw]
provider = "cache"
ttl_seconds_default = 300
ttl_seconds_max = 900
[credentials.reports-db]
provider = "cache"
parameters = ["role"]
[credentials.shared]
provider = "cache"
shared = "group"
"#;

/// Told of everyone, but for what is shared.
const SHARED: &str = r#"
@id("shared")
permit (principal, action == Cress::Action::"issue", resource == Cress::Credential::"shared");
"#;

fn trial() -> (tempfile::TempDir, PolicyTrial) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.cedar");
    std::fs::write(&file, format!("{POLICIES}{SHARED}")).unwrap();
    let text = format!("data_dir = {:?}\n{CONFIG}[policies]\nfiles = [{:?}]\n", directory.path().join("data"), file);
    let config: Config = toml::from_str(&text).unwrap();
    let trial = PolicyTrial::new(&config).unwrap();
    (directory, trial)
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "https://broker.example", "sub": "m-1", "exp": 1_743_101_746,
        "salad_organization_id": "o-1", "salad_organization_name": "acme", "salad_workload_id": "g-1",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// The corpus is written as operators write theirs.
fn corpus() -> Vec<Case> {
    let case = |name: &str, changes: Value, issue: Value, expect: Value| {
        let case =
            json!({"name": name, "claims": claims(&changes), "issue": issue, "time": 1_743_101_500, "expect": expect});
        serde_json::from_value(case).unwrap()
    };
    let permitted = |policy: &str| json!({"outcome": "permitted", "policies": [policy]});
    let refused = |reason: &str| json!({"outcome": "refused", "reason": reason});
    let cache = || json!({"credential": "cache-rw"});
    let salad = "2c3573b6-88de-4067-821f-1af088bd9c6a";
    vec![
        case("a worker", json!({}), cache(), permitted("workers")),
        case("another group", json!({"salad_workload_id": "g-2"}), cache(), refused("policy-permits-not")),
        case("no group", json!({"salad_workload_id": null}), cache(), refused("policy-permits-not")),
        case("a number", json!({"salad_workload_id": 1}), cache(), refused("claim-type")),
        case(
            "longer than the policy",
            json!({}),
            json!({"credential": "cache-rw", "ttl_seconds": 601}),
            refused("policy-permits-not"),
        ),
        case(
            "longer than the credential",
            json!({}),
            json!({"credential": "cache-rw", "ttl_seconds": 901}),
            refused("ttl-out-of-bounds"),
        ),
        case("no time", json!({}), json!({"credential": "cache-rw", "ttl_seconds": 0}), refused("ttl-out-of-bounds")),
        case(
            "a parameter",
            json!({}),
            json!({"credential": "reports-db", "parameters": {"role": "reader"}}),
            permitted("readers"),
        ),
        case(
            "another value",
            json!({}),
            json!({"credential": "reports-db", "parameters": {"role": "writer"}}),
            refused("policy-permits-not"),
        ),
        case(
            "no such parameter",
            json!({}),
            json!({"credential": "cache-rw", "parameters": {"role": "x"}}),
            refused("parameter-refused"),
        ),
        case("no such credential", json!({}), json!({"credential": "cache-ro"}), refused("credential-unknown")),
        case("no name", json!({}), json!({"credential": "*\" || true"}), refused("credential-unknown")),
        case(
            "from where it is forbidden",
            json!({}),
            json!({"credential": "cache-rw", "source_address": "10.9.1.1"}),
            json!({
                "outcome": "refused", "reason": "policy-forbids", "policies": ["night"],
            }),
        ),
        case("for another service", json!({"aud": "https://other.example"}), cache(), refused("audience-mismatch")),
        case("for the organization", json!({"aud": "o-1"}), cache(), refused("audience-mismatch")),
        case("of a stranger", json!({"iss": "https://other.example"}), cache(), refused("issuer-unknown")),
        case(
            "for an accepted organization",
            json!({"iss": "https://salad.example", "aud": salad, "salad_organization_id": salad}),
            cache(),
            permitted("workers"),
        ),
        case(
            "for one that is not",
            json!({"iss": "https://salad.example", "aud": "o-1"}),
            cache(),
            refused("audience-mismatch"),
        ),
        case(
            "for one that is not its own",
            json!({"iss": "https://salad.example", "aud": salad}),
            cache(),
            refused("audience-mismatch"),
        ),
        case("shared", json!({}), json!({"credential": "shared"}), permitted("shared")),
        case(
            "shared, by nobody",
            json!({"salad_workload_id": null}),
            json!({"credential": "shared"}),
            refused("group-missing"),
        ),
    ]
}

#[test]
fn each_case_is_decided_as_expected() {
    let (_directory, trial) = trial();
    for case in corpus() {
        let time = Timestamp::from_unix_seconds(case.time.unwrap());
        let explanation = trial.explain(&case.claims, &case.issue, time);
        assert_eq!(case.differences(&explanation), Vec::<String>::new(), "{}: {explanation:?}", case.name);
    }
}

#[test]
fn what_differs_is_told() {
    let (_directory, trial) = trial();
    let mut case = corpus().remove(0);
    case.expect = Expectation { outcome: Outcome::Refused, reason: Some("x".to_owned()), policies: Some(Vec::new()) };
    let differences =
        case.differences(&trial.explain(&case.claims, &case.issue, Timestamp::from_unix_seconds(1_743_101_500)));
    assert_eq!(differences.len(), 3, "{differences:?}");
}

#[test]
fn what_is_worth_a_second_look_is_told() {
    let (_directory, trial) = trial();
    let warnings = trial.warnings().join("\n");
    for expected in [
        "\"readers\" permits by a name",
        "\"shared\" permits without comparing",
        "issuer \"salad\": tokens that are meant",
    ] {
        assert!(warnings.contains(expected), "{warnings}");
    }
    assert!(trial.issuer(Some("salad")).is_some() && trial.issuer(None).is_none() && trial.issuer(Some("x")).is_none());
}
