// SPDX-License-Identifier: Apache-2.0
//! One case for each way in which a token can be wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use cress_jose::Algorithm;
use cress_testkit::{BadToken, TestIssuer, bad_tokens, forge};
use serde_json::{Value, json};

use super::{NOW, changed, check, code, rules};
use crate::{AudienceRule, Rejection, Rules, TypeRule};

#[test]
fn wrong_tokens_are_refused_each_by_its_name() {
    let issuer = TestIssuer::new();
    for BadToken { name, token, code } in bad_tokens(&issuer) {
        let rejection = check(&issuer, &token, &rules(&issuer)).expect_err(&name);
        assert_eq!(rejection.code(), code, "{name}: {rejection}");
        let shown = format!("{rejection} {rejection:?}");
        let signature = token.rsplit('.').next().filter(|signature| signature.len() > 20);
        let leaks = signature.is_some_and(|signature| shown.contains(signature));
        assert!(shown.len() < 2_000 && !leaks, "{name} shows too much: {shown}");
    }
    assert_eq!(code(check(&issuer, &issuer.token(NOW), &rules(&issuer))), None);
}

#[test]
fn rules_decide_what_else_is_refused() {
    let issuer = TestIssuer::new();
    let token = issuer.token(NOW);
    let check_rules = |change: &dyn Fn(&mut Rules)| {
        let mut rules = rules(&issuer);
        change(&mut rules);
        code(check(&issuer, &token, &rules))
    };
    for (change, expected) in [
        (&(|_: &mut Rules| {}) as &dyn Fn(&mut Rules), None),
        (&|rules| rules.algorithms.clear(), Some("algorithm-not-allowed")),
        (&|rules| rules.algorithms = vec![Algorithm::EdDsa], Some("algorithm-not-allowed")),
        (&|rules| rules.algorithms.push(Algorithm::EdDsa), None),
        (&|rules| rules.token_type = TypeRule::Exactly("at+jwt".into()), Some("type-not-allowed")),
        (&|rules| rules.token_type = TypeRule::Exactly("jwt".into()), None),
        (&|rules| rules.lifetime_max = Some(Duration::from_secs(299)), Some("lifetime-too-long")),
        (&|rules| rules.lifetime_max = Some(Duration::from_secs(300)), None),
        (&|rules| rules.required_claims.push("team".into()), Some("claim-missing")),
        (&|rules| rules.claim_rules.push("team".parse().unwrap()), Some("claim-rule-failed")),
        (&|rules| rules.claim_rules.push("salad_workload_name=other".parse().unwrap()), Some("claim-rule-failed")),
        (&|rules| rules.claim_rules.push("salad_workload_name=other|demo".parse().unwrap()), None),
        (&|rules| rules.audiences = AudienceRule::OneOf(vec!["x".parse().unwrap()]), Some("audience-mismatch")),
        (&|rules| rules.issuer = "https://other.test".parse().unwrap(), Some("issuer-mismatch")),
    ] {
        assert_eq!(check_rules(change), expected);
    }
}

#[test]
fn a_key_is_used_for_its_own_algorithm_only() {
    let issuer = TestIssuer::new();
    let mut rules = rules(&issuer);
    rules.algorithms.push(Algorithm::Rs256);
    let forged = forge::with_header(&issuer.token(NOW), r#"{"alg":"RS256","kid":"test-1","typ":"JWT"}"#);
    let (header, key) = (Algorithm::Rs256, Algorithm::Es256);
    assert_eq!(check(&issuer, &forged, &rules).unwrap_err(), Rejection::KeyAlgorithmMismatch { header, key });
}

#[test]
fn the_signature_comes_before_the_claims() {
    let issuer = TestIssuer::new();
    let expired = issuer.sign_claims(changed(&issuer, &json!({"exp": 0, "iss": "x", "aud": 1})));
    let forged = forge::with_signature_bit_turned(&expired, 5);
    assert_eq!(code(check(&issuer, &forged, &rules(&issuer))), Some("signature-invalid"));
}

#[test]
fn messages_say_what_came_and_what_to_do() {
    let issuer = TestIssuer::new();
    let explain = |changes: Value| {
        check(&issuer, &issuer.sign_claims(changed(&issuer, &changes)), &rules(&issuer)).unwrap_err().to_string()
    };
    let audience = issuer.audience();
    assert_eq!(
        explain(json!({"aud": ["a", "b", "c", "d", "e", "f"]})),
        format!(r#"expected a token for "{audience}", got one for "a", "b", "c", "d" and 2 more"#)
    );
    assert_eq!(explain(json!({"aud": []})), format!(r#"expected a token for "{audience}", got one for nobody"#));
    assert_eq!(
        explain(json!({"iss": "é\n".repeat(100)})).len(),
        format!("expected a token of the issuer {}, got one of {:?}", issuer.issuer(), "é\n".repeat(32)).len()
    );
    assert_eq!(
        explain(json!({"exp": 1_743_101_400})),
        "the token expired at 2025-03-27T18:50:00Z, now is 2025-03-27T18:50:46Z"
    );
    assert_eq!(explain(json!({"exp": 1_743_109_999})), "expected a token that lives at most 3600 s, got 8553 s");
}

#[test]
fn codes_are_distinct_words_and_remedies_are_sentences() {
    let issuer = TestIssuer::new();
    let malformed = check(&issuer, "", &rules(&issuer)).unwrap_err();
    let all = [
        Rejection::TokenTooLong { length: 9_000 },
        malformed,
        Rejection::SignatureMissing,
        Rejection::AlgorithmNotAllowed { algorithm: "none".into() },
        Rejection::TypeNotAllowed { typ: "x".into() },
        Rejection::KeyIdMissing,
        Rejection::KeyIdMalformed,
        Rejection::KeyUnknown { kid: "k".parse().unwrap() },
        Rejection::KeyAlgorithmMismatch { header: Algorithm::Rs256, key: Algorithm::Es256 },
        Rejection::SignatureInvalid,
        Rejection::ClaimsMalformed,
        Rejection::ClaimRepeated { claim: "sub".into() },
        Rejection::ClaimMissing { claim: "sub".into() },
        Rejection::ClaimType { claim: "sub", expected: "a text" },
        Rejection::IssuerMismatch { expected: issuer.issuer().clone(), got: "x".into() },
        Rejection::Expired { expired_at: NOW, now: NOW },
        Rejection::NotYetValid { valid_from: NOW, now: NOW },
        Rejection::IssuedInFuture { issued_at: NOW, now: NOW },
        Rejection::LifetimeTooLong { lifetime: Duration::from_secs(2), max: Duration::from_secs(1) },
        Rejection::AudienceMismatch { expected: "x".into(), got: "y".into() },
        Rejection::ClaimRuleFailed { rule: "a=b".parse().unwrap() },
    ];
    let codes: BTreeSet<_> = all.iter().map(Rejection::code).collect();
    assert_eq!(codes.len(), all.len());
    for rejection in &all {
        let (code, message, remedy) = (rejection.code(), rejection.to_string(), rejection.remedy());
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        assert!(remedy.len() > 40 && !remedy.ends_with('.') && !remedy.contains("  "), "{code}: {remedy}");
        assert!(message.len() > 20 && !message.ends_with('.') && !message.contains("  "), "{code}: {message}");
    }
}
