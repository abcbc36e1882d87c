// SPDX-License-Identifier: Apache-2.0
//! Tokens as each issuer documents them, through its preset.

use std::collections::BTreeSet;

use cress_domain::{Clock, Timestamp};
use cress_testkit::{MockClock, RsaKey, TestIssuer};
use cress_token::{AudienceRule, ClaimRule, KeySet, verify};
use serde_json::{Map, Value, json};

use super::{ClaimKind, Preset, PresetError};

const AUDIENCE: &str = "https://deploy.example";

fn audiences(audience: &str) -> AudienceRule {
    AudienceRule::OneOf(vec![audience.parse().unwrap()])
}

/// The claims that the issuer's documentation shows, with times of now.
fn claims(preset: Preset, now: Timestamp) -> Map<String, Value> {
    let now = now.unix_seconds();
    let claims = match preset {
        Preset::Cress | Preset::SaladCloud => json!({
            "iss": "https://matrix-api.salad.io", "aud": "2c3573b6-88de-4067-821f-1af088bd9c6a",
            "sub": "d2d83275-b10a-c957-8f1c-89666a05dc79", "jti": "87659e43-19b0-4338-b3cc-d0a303c72af6",
            "salad_machine_id": "d2d83275-b10a-c957-8f1c-89666a05dc79", "salad_workload_name": "rxlab-demo",
            "salad_workload_id": "215f0bf7-c4c2-4457-85c5-71cd0819def7", "salad_organization_name": "rxlab",
            "salad_organization_id": "2c3573b6-88de-4067-821f-1af088bd9c6a", "iat": now, "nbf": now, "exp": now + 300,
        }),
        Preset::Kubernetes => json!({
            "iss": "https://kubernetes.default.svc.cluster.local", "aud": [AUDIENCE],
            "sub": "system:serviceaccount:prod:reporter", "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
            "iat": now, "nbf": now, "exp": now + 3_607,
            "kubernetes.io": {
                "namespace": "prod",
                "node": {"name": "n-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
                "pod": {"name": "p-0", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
                "serviceaccount": {"name": "reporter", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
            },
        }),
        Preset::Spire => json!({
            "iss": "https://oidc.spire.example", "aud": [AUDIENCE], "sub": "spiffe://prod.example/ns/prod/sa/reporter",
            "iat": now, "exp": now + 300,
        }),
        Preset::GitHubActions => json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": AUDIENCE, "jti": "example-id",
            "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod", "ref": "refs/heads/main",
            "repository": "octo-org/octo-repo", "repository_id": "74", "repository_owner": "octo-org",
            "repository_owner_id": "65", "job_workflow_ref": "octo-org/octo-repo/.github/workflows/x.yml@refs/heads/main",
            "run_id": "9", "iat": now, "nbf": now - 600, "exp": now + 300,
        }),
        Preset::GitLab => json!({
            "iss": "https://gitlab.com", "aud": AUDIENCE, "jti": "63ab75f4-2606-4f0e-a500-86f90ab13a85",
            "sub": "project_path:group/app:ref_type:branch:ref:main", "namespace_id": "1", "namespace_path": "group",
            "project_id": "28", "project_path": "group/app", "job_id": "1123", "ref": "main", "ref_type": "branch",
            "ref_protected": "true", "environment": "prod", "iat": now, "nbf": now - 5, "exp": now + 3_600,
        }),
    };
    claims.as_object().unwrap().clone()
}

/// The preset's rules for a token with these claims.
fn check(preset: Preset, sign: impl Fn(&Map<String, Value>) -> String, keys: &KeySet) {
    let now = MockClock::default().now();
    let good = claims(preset, now);
    let issuer = good["iss"].as_str().unwrap().parse().unwrap();
    let audience = good["aud"].as_str().unwrap_or(AUDIENCE).to_owned();
    let rules = preset.rules(Some(issuer), audiences(&audience)).unwrap();
    let code = |claims: &Map<String, Value>| {
        verify(&sign(claims), keys, &rules, now).err().map_or("accepted", |rejection| rejection.code())
    };
    assert_eq!(code(&good), "accepted", "{preset}");
    for name in ["iss", "exp"].into_iter().chain(rules.required_claims.iter().map(String::as_str)) {
        let mut without = good.clone();
        without.remove(name);
        assert_eq!(code(&without), "claim-missing", "{preset} without {name}");
    }
    for (name, value, expected) in [
        ("iss", json!("https://other.example"), "issuer-mismatch"),
        ("aud", json!("https://other.example"), "audience-mismatch"),
        ("exp", json!(now.unix_seconds() + 31_536_000), "lifetime-too-long"),
        ("exp", json!(now.unix_seconds() - 31), "expired"),
    ] {
        let mut changed = good.clone();
        changed.insert(name.to_owned(), value);
        assert_eq!(code(&changed), expected, "{preset} with another {name}");
    }
    for rule in &rules.claim_rules {
        let mut changed = good.clone();
        changed.insert(rule.claim().to_owned(), json!("someone"));
        assert_eq!(code(&changed), "claim-rule-failed", "{preset} against {rule}");
    }
    for identity in preset.identity_claims() {
        let present: ClaimRule = identity.claim.parse().unwrap();
        let optional = preset == Preset::Cress && identity.claim == "salad_instance_id";
        assert!(optional || present.matches(&good), "{preset} has no {}", identity.claim);
    }
}

#[test]
fn documented_tokens_signed_with_rs256_pass_and_changed_ones_do_not() {
    let rsa = RsaKey::generate("rsa-1");
    let keys = KeySet::new(&rsa.jwks());
    for preset in [Preset::Kubernetes, Preset::Spire] {
        check(preset, |claims| rsa.sign(claims, &[]), &keys);
    }
    for preset in [Preset::Spire, Preset::GitHubActions, Preset::GitLab] {
        check(preset, |claims| rsa.sign(claims, &[("typ", "JWT")]), &keys);
    }
}

#[test]
fn documented_tokens_signed_with_es256_pass_and_changed_ones_do_not() {
    let issuer = TestIssuer::new();
    for preset in [Preset::Cress, Preset::SaladCloud, Preset::Kubernetes, Preset::Spire] {
        check(preset, |claims| issuer.sign_claims(claims.clone()), &issuer.key_set());
    }
}

#[test]
fn algorithms_that_the_issuer_does_not_use_are_refused() {
    let (rsa, ec, now) = (RsaKey::generate("rsa-1"), TestIssuer::new(), MockClock::default().now());
    for preset in [Preset::SaladCloud, Preset::GitHubActions, Preset::GitLab] {
        let claims = claims(preset, now);
        let rules = preset.rules(None, AudienceRule::Any).unwrap();
        let (token, keys) = match preset {
            Preset::SaladCloud => (rsa.sign(&claims, &[("typ", "JWT")]), KeySet::new(&rsa.jwks())),
            _ => (ec.sign_claims(claims), ec.key_set()),
        };
        assert_eq!(verify(&token, &keys, &rules, now).unwrap_err().code(), "algorithm-not-allowed", "{preset}");
    }
}

#[test]
fn issuers_and_key_sets_are_where_they_are_documented() {
    let own = Some("https://own.example/sub/");
    for (preset, given, expected) in [
        (Preset::Cress, None, Err("expected an issuer with the preset cress")),
        (Preset::Cress, own, Ok("https://own.example/sub/.well-known/workload-jwks.json")),
        (Preset::SaladCloud, None, Ok("https://matrix-rest-api.salad.com/.well-known/workload-jwks.json")),
        (Preset::SaladCloud, own, Err("expected no issuer with the preset saladcloud")),
        (Preset::Kubernetes, None, Err("expected an issuer with the preset kubernetes")),
        (Preset::Kubernetes, own, Ok("https://own.example/sub/openid/v1/jwks")),
        (Preset::Spire, None, Err("expected an issuer with the preset spire")),
        (Preset::Spire, own, Ok("https://own.example/sub/keys")),
        (Preset::GitHubActions, None, Ok("https://token.actions.githubusercontent.com/.well-known/jwks")),
        (Preset::GitHubActions, own, Ok("https://own.example/sub/.well-known/jwks")),
        (Preset::GitLab, None, Ok("https://gitlab.com/oauth/discovery/keys")),
        (Preset::GitLab, own, Ok("https://own.example/sub/oauth/discovery/keys")),
        (Preset::GitLab, Some("http://gitlab.example"), Err("expected an https URL")),
    ] {
        let given = given.map(|issuer| issuer.parse().unwrap());
        let url = preset.trusted_issuer(given, audiences(AUDIENCE)).map(|trusted| match trusted.keys {
            crate::KeySource::Remote(keys) => keys.url().to_owned(),
            other => panic!("{other:?}"),
        });
        match expected {
            Ok(expected) => assert_eq!(url.unwrap(), expected),
            Err(start) => assert!(url.as_ref().is_err_and(|error| error.to_string().starts_with(start)), "{url:?}"),
        }
    }
    let same = Preset::SaladCloud.issuer(Some("https://matrix-api.salad.io".parse().unwrap()));
    assert_eq!(same.unwrap().as_str(), "https://matrix-api.salad.io");
}

#[test]
fn names_are_exact_and_facts_are_sound() {
    for &preset in Preset::ALL {
        assert_eq!(preset.as_str().parse(), Ok(preset));
        let json = serde_json::to_string(&preset).unwrap();
        assert_eq!(serde_json::from_str::<Preset>(&json).unwrap(), preset);
        let issuer = Some("https://matrix-api.salad.io".parse().unwrap());
        let rules = preset.rules(issuer, AudienceRule::Any).unwrap();
        assert_eq!(rules.claim_rules.len(), preset.facts().claim_rules.len(), "{preset} has a rule that is none");
        let names: BTreeSet<_> = preset.identity_claims().iter().map(|identity| identity.claim).collect();
        assert_eq!(names.len(), preset.identity_claims().len());
        let has_id = preset.identity_claims().iter().any(|identity| identity.kind == ClaimKind::Id);
        assert!(has_id || preset == Preset::Spire, "{preset} has no id to match");
    }
    for bad in ["", "SaladCloud", "github", "gitlab ", "k8s"] {
        assert_eq!(bad.parse::<Preset>(), Err(PresetError::Unknown(bad.to_owned())));
    }
    let error = "k8s".parse::<Preset>().unwrap_err().to_string();
    assert_eq!(
        error,
        "expected one of the presets cress, saladcloud, kubernetes, spire, github-actions, gitlab, got \"k8s\""
    );
}

#[test]
fn audiences_that_others_share_are_cautioned_about() {
    let organization = "2c3573b6-88de-4067-821f-1af088bd9c6a";
    for (preset, rule, cautioned) in [
        (Preset::SaladCloud, audiences(organization), true),
        (Preset::Cress, audiences(organization), true),
        (Preset::Cress, audiences(AUDIENCE), false),
        (Preset::GitLab, audiences(organization), false),
        (Preset::GitLab, AudienceRule::Any, true),
    ] {
        assert_eq!(preset.caution(&rule).is_some(), cautioned, "{preset} {rule:?}");
    }
}
