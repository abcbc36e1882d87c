// SPDX-License-Identifier: Apache-2.0
//! What is refused, and what is remarked, when policies are loaded.

use super::*;

#[test]
fn policies_that_do_not_fit_the_schema_are_refused() {
    for (text, message) in [
        ("", "at least one policy"),
        ("permit", "expected Cedar policies"),
        ("permit (principal, action, resource) when { true ", "expected Cedar policies"),
        (&permit("principal.group == \"x\""), "fit the schema"),
        (&permit("principal has group_id && principal.group_id == 5"), "fit the schema"),
        // An optional attribute without asking first whether it is there.
        (&permit("principal.group_id == \"x\""), "fit the schema"),
        (&permit("principal.claims has unknown && principal.claims.unknown == \"x\""), "fit the schema"),
        (&permit("false"), "impossible"),
        (&permit("context.ttl_seconds < 5"), "fit the schema"),
        ("permit (principal == User::\"a\", action, resource);", "fit the schema"),
        ("permit (principal, action == Cress::Action::\"delete\", resource);", "fit the schema"),
        ("permit (principal == ?principal, action, resource);", "without slots"),
        (&format!("{}{}", permit("true"), permit("true")), "each @id once, got \"p\""),
        (&"/".repeat(POLICIES_BYTES_MAX + 1), "at most"),
    ] {
        let error = Policies::parse(text, &types()).unwrap_err().to_string();
        assert!(error.contains(message), "{text:.80}: {error}");
    }
}

#[test]
fn declared_claims_are_names_and_paths() {
    for (name, claim) in
        [("Team", "team"), ("te am", "team"), ("a\": Long}; }//", "team"), ("", "team"), ("team", ""), ("team", "a=b")]
    {
        let declared = DeclaredClaim { claim: claim.to_owned(), kind: ClaimKind::String, chosen_by_tenants: false };
        let error = ClaimTypes::new([(name.to_owned(), declared)].into()).unwrap_err();
        assert!(matches!(error, PolicyError::Claim { .. }), "{name:?} {claim:?}: {error}");
    }
}

#[test]
fn a_name_alone_is_remarked() {
    let name = r#"principal has group_name && principal.group_name == "worker""#;
    let id = r#"principal has organization_id && principal.organization_id == "o-1""#;
    for (condition, warnings) in [
        (id.to_owned(), 0),
        (name.to_owned(), 1),
        (format!("{name} && {id}"), 0),
        (format!("({name}) || ({id})"), 1),
        (r#"principal has group_name && ["a", "b"].contains(principal.group_name)"#.to_owned(), 1),
        (r#"principal has group_name && principal.group_name like "prod-*""#.to_owned(), 1),
        (r#"principal.claims has team && principal.claims.team == "x""#.to_owned(), 1),
        (r#"principal.claims has namespace && principal.claims.namespace == "x""#.to_owned(), 0),
        (format!("if context.method == \"GET\" then ({name}) else ({id})"), 1),
        (r#"context.method == "GET""#.to_owned(), 1),
        (r#"principal has group_id"#.to_owned(), 1),
    ] {
        let found = policies(&permit(&condition)).warnings().to_vec();
        assert_eq!(found.len(), warnings, "{condition}: {found:?}");
    }
    assert!(matches!(policies(&permit(name)).warnings(), [Warning::NameAlone { policy }] if policy == "p"));
    assert!(matches!(policies(&permit("true")).warnings(), [Warning::Everyone { policy }] if policy == "p"));
}

#[test]
fn the_published_schema_is_one_that_policies_fit() {
    let text = Policies::schema_text(&types());
    assert!(text.contains("entity Workload") && text.contains("\"team\"?: String"), "{text}");
}
