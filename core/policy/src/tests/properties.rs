// SPDX-License-Identifier: Apache-2.0
//! Properties: whatever is added, chosen or missing.

use proptest::prelude::*;

use super::*;

/// Conditions that policies are made of.
const CONDITIONS: [&str; 7] = [
    "true",
    r#"principal has group_id && principal.group_id == "g-1""#,
    r#"principal has group_name && principal.group_name == "worker""#,
    r#"principal.claims has level && principal.claims.level > 2"#,
    r#"principal.claims has level && principal.claims.level * 4611686018427387904 > 2"#,
    r#"principal.claims has roles && principal.claims.roles.contains("writer")"#,
    r#"context.path like "/reports/*""#,
];

fn text(permits: &[usize], forbids: &[usize]) -> String {
    let mut text = String::new();
    for (index, condition) in permits.iter().enumerate() {
        text.push_str(&permit(CONDITIONS[*condition]).replace("@id(\"p\")", &format!("@id(\"p{index}\")")));
    }
    for (index, condition) in forbids.iter().enumerate() {
        text.push_str(&forbid(CONDITIONS[*condition]).replace("@id(\"f\")", &format!("@id(\"f{index}\")")));
    }
    text
}

fn conditions(least: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..CONDITIONS.len(), least..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn adding_a_forbid_never_grants(permits in conditions(1), forbids in conditions(0), added in 0..CONDITIONS.len(), level in any::<i64>()) {
        let changes = json!({ "level": level });
        let before = decide(&text(&permits, &forbids), &changes);
        let more: Vec<usize> = forbids.iter().copied().chain([added]).collect();
        let after = decide(&text(&permits, &more), &changes);
        prop_assert!(before.is_permitted() || !after.is_permitted(), "{before:?} {after:?}");
    }

    #[test]
    fn nothing_that_a_tenant_chooses_opens_what_is_anothers(name in any::<String>(), team in any::<String>(), path in any::<String>()) {
        // The other tenant's policy compares ids and names; this tenant may write anything into its own.
        let policies = policies(&permit(
            r#"principal has organization_id && principal.organization_id == "o-2" && principal has group_name && principal.group_name like "prod*""#,
        ));
        let mine = claims(&json!({"salad_workload_name": name, "salad_organization_name": name, "team": team, "sub": team}));
        prop_assert!(!policies.rehearse(&mine, &request("GET", &path)).is_permitted());
        // And the other's own decisions are the same as ever.
        let theirs = claims(&json!({"salad_organization_id": "o-2", "salad_workload_name": "prod-1", "team": team}));
        prop_assert!(policies.rehearse(&theirs, &request("GET", &path)).is_permitted());
    }

    #[test]
    fn a_text_is_equal_to_itself_alone(name in any::<String>()) {
        let policies = policies(&permit(r#"principal has group_name && principal.group_name == "wor*ker""#));
        let decision = policies.rehearse(&claims(&json!({ "salad_workload_name": name })), &request("GET", "/"));
        prop_assert_eq!(decision.is_permitted(), name == "wor*ker");
    }
}

#[test]
fn quotes_globs_and_control_characters_are_text() {
    let policies = policies(&permit(r#"principal has group_name && principal.group_name like "prod-*""#));
    for (name, is_permitted) in [
        ("prod-1", true),
        ("prod-*", true),
        ("*", false),
        ("\" || true || \"", false),
        ("prod\u{0}-1", false),
        ("\nprod-1", false),
        ("*prod-1", false),
        ("PROD-1", false),
        ("prod\u{2010}1", false),
    ] {
        let decision = policies.rehearse(&claims(&json!({ "salad_workload_name": name })), &request("GET", "/"));
        assert_eq!(decision.is_permitted(), is_permitted, "{name:?}");
    }
}
