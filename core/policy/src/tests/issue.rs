// SPDX-License-Identifier: Apache-2.0
//! Properties of what the broker asks (`action issue`): whatever is added, chosen or missing.

use proptest::prelude::*;

use super::*;

const CONDITIONS: [&str; 7] = [
    "true",
    r#"principal has group_id && principal.group_id == "g-1""#,
    r#"principal has group_name && principal.group_name == "worker""#,
    r#"principal.claims has level && principal.claims.level * 4611686018427387904 > 2"#,
    "context.ttl_seconds <= 900",
    r#"context.parameters.contains("role=reader")"#,
    r#"context has source_address && context.source_address.isInRange(ip("10.0.0.0/8"))"#,
];

fn policy(effect: &str, index: usize, credential: Option<&str>, condition: &str) -> String {
    let resource =
        credential.map_or("resource".to_owned(), |name| format!("resource == Cress::Credential::\"{name}\""));
    format!(
        "@id(\"{effect}{index}\") {effect} (principal, action == Cress::Action::\"issue\", {resource}) when {{ {condition} }};\n"
    )
}

fn text(permits: &[usize], forbids: &[usize]) -> String {
    let permits = permits.iter().enumerate().map(|(index, one)| policy("permit", index, None, CONDITIONS[*one]));
    let forbids = forbids.iter().enumerate().map(|(index, one)| policy("forbid", index, None, CONDITIONS[*one]));
    permits.chain(forbids).collect()
}

fn issue(text: &str, changes: &Value, ttl_seconds: u32, parameters: &[(&str, &str)]) -> Decision {
    let what = What::Issue { credential: "reports-db", ttl_seconds, parameters };
    let source_address = Some("10.1.2.3".parse().unwrap());
    let request = Request { what, time: Timestamp::from_unix_seconds(1_743_101_500), source_address };
    policies(text).rehearse(&claims(changes), &request).0
}

fn conditions(least: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..CONDITIONS.len(), least..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn adding_a_forbid_never_grants(
        permits in conditions(1),
        forbids in conditions(0),
        added in 0..CONDITIONS.len(),
        level in any::<i64>(),
        ttl in 1_u32..2_000,
        role in "reader|writer",
    ) {
        let parameters = [("role", role.as_str())];
        let decide = |forbids: &[usize]| issue(&text(&permits, forbids), &json!({ "level": level }), ttl, &parameters);
        let more: Vec<usize> = forbids.iter().copied().chain([added]).collect();
        let (before, after) = (decide(&forbids), decide(&more));
        prop_assert!(before.is_permitted() || !after.is_permitted(), "{before:?} {after:?}");
    }

    #[test]
    fn a_policy_that_fails_denies_whatever_the_others_say(permits in conditions(0), forbids in conditions(0)) {
        // The fourth condition overflows with this claim, which no type excludes.
        let failing = policy("permit", 9, None, CONDITIONS[3]);
        let decision = issue(&(text(&permits, &forbids) + &failing), &json!({ "level": i64::MAX }), 900, &[]);
        prop_assert_eq!(decision.why(), &Why::PolicyFailed);
    }

    #[test]
    fn no_string_of_a_tenants_choosing_changes_what_another_tenant_gets(
        name in any::<String>(), value in any::<String>(), team in r#"["'*/+,\\\x00-\x1f a-z]{0,12}"#,
    ) {
        let text = policy(
            "permit", 0, Some("reports-db"),
            r#"principal has organization_id && principal.organization_id == "o-2" && context.parameters.contains("role=reader")"#,
        );
        let parameters = [("role", value.as_str()), ("schema", name.as_str())];
        let mine = json!({"salad_workload_name": name, "salad_organization_name": team, "team": team, "sub": value});
        prop_assert!(!issue(&text, &mine, 900, &parameters).is_permitted());
        // The other's own request, beside names of the same kind, is decided as ever.
        let theirs = json!({"salad_organization_id": "o-2", "salad_workload_name": name, "team": team});
        prop_assert_eq!(issue(&text, &theirs, 900, &parameters).is_permitted(), value == "reader");
        prop_assert!(issue(&text, &theirs, 900, &[("role", "reader"), ("schema", &name)]).is_permitted());
    }

    #[test]
    fn a_claim_of_another_type_denies(level in prop_oneof![Just(json!("3")), Just(json!(3.5)), Just(json!([3])), Just(json!({})), Just(json!(true))]) {
        let decision = issue(&policy("permit", 0, None, "true"), &json!({ "level": level }), 900, &[]);
        let is_type = matches!(decision.why(), Why::ClaimType { .. });
        prop_assert!(is_type);
    }
}

#[test]
fn a_policy_speaks_of_what_the_schema_has_for_the_action_alone() {
    for condition in [
        r#"context.path == "/""#,
        r#"context.method == "GET""#,
        "context.ttl_seconds == \"900\"",
        r#"principal.team == "x""#,
        r#"context.parameters == "role=reader""#,
    ] {
        let error = Policies::parse(&policy("forbid", 0, None, condition), &types()).unwrap_err().to_string();
        assert!(error.contains("fit the schema"), "{condition}: {error}");
    }
}
