// SPDX-License-Identifier: Apache-2.0
//! Tokens that pass, and what they then say.

use std::time::Duration;

use cress_domain::{Audience, Timestamp};
use cress_testkit::TestIssuer;
use serde_json::json;

use super::{NOW, changed, check, code, rules};
use crate::{AudienceRule, KeySet, Leeway, Rules, Unverified, verify};

#[test]
fn a_workloads_token_says_who_it_is() {
    let issuer = TestIssuer::new();
    let identity = issuer.identity();
    let claims = check(&issuer, &issuer.token(NOW), &rules(&issuer)).unwrap();

    assert_eq!(claims.kid().as_str(), "test-1");
    assert_eq!(claims.issuer(), issuer.issuer());
    assert_eq!(claims.subject(), Some(identity.machine_id.to_string().as_str()));
    assert_eq!(claims.audiences().collect::<Vec<_>>(), [issuer.audience().as_str()]);
    assert_eq!(claims.issued_at(), Some(NOW));
    assert_eq!(claims.not_before(), Some(NOW));
    assert_eq!(claims.expires_at(), NOW + Duration::from_secs(300));
    assert!(claims.token_id().is_some());

    let workload = claims.workload().unwrap();
    assert_eq!(workload.machine_id, identity.machine_id);
    assert_eq!(workload.instance_id, Some(identity.instance_id));
    assert_eq!(workload.container_group_id, identity.container_group_id);
    assert_eq!(workload.container_group_name, *identity.container_group_name);
    assert_eq!(workload.organization_id, identity.organization_id);
    assert_eq!(workload.organization_name, *identity.organization_name);
}

#[test]
fn the_reference_platforms_token_has_no_instance() {
    let issuer = TestIssuer::new();
    let token = issuer.sign_claims(changed(&issuer, &json!({"salad_instance_id": null})));
    let workload = check(&issuer, &token, &rules(&issuer)).unwrap().workload().unwrap();
    assert_eq!(workload.instance_id, None);
}

#[test]
fn half_an_identity_is_none() {
    let issuer = TestIssuer::new();
    for changes in [
        json!({"salad_workload_name": null}),
        json!({"salad_workload_name": "Not A Name"}),
        json!({"salad_workload_name": 7}),
        json!({"salad_instance_id": "not an id"}),
        json!({"salad_instance_id": "2C3573B6-88DE-4067-821F-1AF088BD9C6A"}),
        json!({"salad_organization_name": [""]}),
    ] {
        let token = issuer.sign_claims(changed(&issuer, &changes));
        assert_eq!(check(&issuer, &token, &rules(&issuer)).unwrap().workload(), None, "{changes}");
    }
}

#[test]
fn foreign_tokens_need_no_more_than_issuer_expiry_and_audience() {
    let issuer = TestIssuer::new();
    let rules =
        Rules::new(issuer.issuer().clone(), AudienceRule::OneOf(vec!["a".parse().unwrap(), "b".parse().unwrap()]));
    let iss = issuer.issuer();
    for claims in [
        json!({"iss": iss, "exp": 1_743_101_447, "aud": "b"}),
        json!({"iss": iss, "exp": 1_743_101_446.5, "aud": ["x", "a"]}),
        json!({"iss": iss, "exp": 1.9e9, "aud": ["a"], "iat": 0, "nbf": 1_743_101_446.0, "sub": "", "jti": ""}),
        json!({"iss": iss, "exp": 253_402_300_799_i64, "aud": "a", "nested": {"a": {"b": [null, {}]}}}),
    ] {
        let claims = check(&issuer, &issuer.sign(claims.to_string().as_bytes()), &rules).unwrap();
        assert_eq!(claims.workload(), None);
        assert_eq!(claims.claim("iss"), Some(&json!(iss)));
    }
}

#[test]
fn any_audience_means_none_too() {
    let issuer = TestIssuer::new();
    let rules = Rules::new(issuer.issuer().clone(), AudienceRule::Any);
    for changes in [json!({"aud": null}), json!({"aud": []}), json!({"aud": "elsewhere"})] {
        let token = issuer.sign_claims(changed(&issuer, &changes));
        assert_eq!(code(check(&issuer, &token, &rules)), None, "{changes}");
    }
    let nobody = Rules::new(issuer.issuer().clone(), AudienceRule::OneOf(Vec::new()));
    assert_eq!(code(check(&issuer, &issuer.token(NOW), &nobody)), Some("audience-mismatch"));
}

#[test]
fn a_token_for_another_audience_is_for_no_one_else() {
    let issuer = TestIssuer::new();
    let broker: Audience = "https://broker.example".parse().unwrap();
    let token = issuer.token_for(&broker, NOW);
    assert_eq!(code(check(&issuer, &token, &rules(&issuer))), Some("audience-mismatch"));
    let rules = Rules::for_workloads(issuer.issuer().clone(), AudienceRule::OneOf(vec![broker]));
    assert_eq!(code(check(&issuer, &token, &rules)), None);
}

#[test]
fn times_are_checked_to_the_microsecond() {
    let issuer = TestIssuer::new();
    let keys = KeySet::new(&issuer.jwks());
    let token = issuer.token(NOW);
    let at = |seconds: i64, microseconds: i64| {
        Timestamp::from_unix_microseconds((NOW.unix_seconds() + seconds) * 1_000_000 + microseconds)
    };
    for (leeway, now, expected) in [
        (0, at(0, -1), Some("not-yet-valid")),
        (0, at(0, 0), None),
        (0, at(300, -1), None),
        (0, at(300, 0), Some("expired")),
        (30, at(-30, -1), Some("not-yet-valid")),
        (30, at(-30, 0), None),
        (30, at(330, -1), None),
        (30, at(330, 0), Some("expired")),
        (300, at(-300, 0), None),
        (300, at(600, -1), None),
        (300, at(600, 0), Some("expired")),
        (300, Timestamp::from_unix_microseconds(i64::MAX), Some("expired")),
        (300, Timestamp::from_unix_microseconds(i64::MIN), Some("not-yet-valid")),
    ] {
        let mut rules = rules(&issuer);
        rules.leeway = Leeway::try_from(Duration::from_secs(leeway)).unwrap();
        assert_eq!(code(verify(&token, &keys, &rules, now)), expected, "leeway {leeway} at {now}");
    }
}

#[test]
fn what_is_unverified_says_so() {
    let issuer = TestIssuer::new();
    let token = issuer.token(NOW);
    let unverified = Unverified::parse(&token).unwrap();
    assert_eq!(unverified.unverified_issuer(), Some(issuer.issuer().as_str()));
    assert_eq!(unverified.unverified_header().kid().unwrap().as_str(), "test-1");
    assert_eq!(format!("{unverified:?}"), "Unverified(..)");
    assert!(unverified.verify(&KeySet::new(&issuer.jwks()), &rules(&issuer), NOW).is_ok());
}

#[test]
fn a_revoked_key_verifies_nothing() {
    let issuer = TestIssuer::new();
    let mut keys = KeySet::new(&issuer.jwks());
    let kid = "test-1".parse().unwrap();
    assert_eq!((keys.len(), keys.kids().collect::<Vec<_>>()), (1, vec![&kid]));
    assert!(keys.remove(&kid));
    assert!(!keys.remove(&kid) && keys.is_empty());
    assert_eq!(code(verify(&issuer.token(NOW), &keys, &rules(&issuer), NOW)), Some("key-unknown"));
}
