// SPDX-License-Identifier: Apache-2.0
//! One case for each way in which a token can be wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use cress_domain::limits::TOKEN_BYTES_MAX;
use cress_jose::Algorithm;
use cress_testkit::{TestIssuer, forge};
use serde_json::{Value, json};

use super::{NOW, changed, check, code, rules};
use crate::{AudienceRule, Rejection, Rules, TypeRule};

/// Payload with a text in it replaced, properly signed.
fn signed_with(issuer: &TestIssuer, from: &str, to: &str) -> String {
    let payload = Value::Object(issuer.claims(NOW)).to_string();
    assert!(payload.contains(from), "{from} is not in {payload}");
    issuer.sign(payload.replacen(from, to, 1).as_bytes())
}

fn forged_header(token: &str, header: &str) -> String {
    forge::with_header(token, header)
}

#[test]
fn forged_and_damaged_tokens_are_refused() {
    let issuer = TestIssuer::new();
    let token = issuer.token(NOW);
    let [header, payload, signature] = forge::parts(&token);
    let kid = |kid: &str| forged_header(&token, &json!({"alg": "ES256", "kid": kid, "typ": "JWT"}).to_string());
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let stranger = TestIssuer::new();
    for (name, forged, expected) in [
        ("alg none", forge::alg_none(&token), "algorithm-not-allowed"),
        (
            "alg none with the signature left",
            forged_header(&token, r#"{"alg":"none","kid":"test-1"}"#),
            "algorithm-not-allowed",
        ),
        ("alg HS256, the public key as secret", forge::hs256_with_public_key(&token, &issuer), "algorithm-not-allowed"),
        ("alg RS256", forged_header(&token, r#"{"alg":"RS256","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("alg ES384", forged_header(&token, r#"{"alg":"ES384","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("alg ES512", forged_header(&token, r#"{"alg":"ES512","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("no alg", forged_header(&token, r#"{"kid":"test-1"}"#), "token-malformed"),
        ("two algs", forged_header(&token, r#"{"alg":"ES256","alg":"none","kid":"test-1"}"#), "token-malformed"),
        ("two kids", forged_header(&token, r#"{"alg":"ES256","kid":"test-1","kid":"test-1"}"#), "token-malformed"),
        ("crit", forged_header(&token, r#"{"alg":"ES256","kid":"test-1","crit":["exp"]}"#), "token-malformed"),
        (
            "typ of a revocation list",
            forged_header(&token, r#"{"alg":"ES256","kid":"test-1","typ":"x+jwt"}"#),
            "type-not-allowed",
        ),
        ("no kid", forged_header(&token, r#"{"alg":"ES256","typ":"JWT"}"#), "key-id-missing"),
        ("kid is a number", forged_header(&token, r#"{"alg":"ES256","kid":1}"#), "key-id-malformed"),
        ("kid is null", forged_header(&token, r#"{"alg":"ES256","kid":null}"#), "key-id-malformed"),
        ("kid is empty", kid(""), "key-id-malformed"),
        ("kid of 256 bytes", kid(&"k".repeat(256)), "key-id-malformed"),
        ("kid of 3 kB", kid(&"k".repeat(3_000)), "key-id-malformed"),
        ("kid of 10 kB", kid(&"k".repeat(10_000)), "token-too-long"),
        ("kid with NUL", kid("test-1\0"), "key-id-malformed"),
        ("kid with a line break", kid("test-1\r\nX: y"), "key-id-malformed"),
        ("kid is a path", kid("../../../../dev/null"), "key-unknown"),
        ("kid is a URL", kid("http://169.254.169.254/"), "key-unknown"),
        ("kid is SQL", kid("test-1'--"), "key-unknown"),
        ("kid unknown", kid("test-2"), "key-unknown"),
        ("kid in another case", kid("Test-1"), "key-unknown"),
        ("another key of the same id", stranger.token(NOW), "signature-invalid"),
        (
            "another header",
            forged_header(&token, r#"{"alg":"ES256","kid":"test-1","typ":"JWT" }"#),
            "signature-invalid",
        ),
        ("another payload", forge::with_payload(&token, br#"{"sub":"root"}"#), "signature-invalid"),
        (
            "the payload of another token",
            format!("{header}.{}.{signature}", forge::parts(&issuer.token(NOW))[1]),
            "signature-invalid",
        ),
        (
            "the signature of another token",
            format!("{header}.{payload}.{}", forge::parts(&issuer.token(NOW))[2]),
            "signature-invalid",
        ),
        ("no signature", forge::without_signature(&token), "signature-missing"),
        ("first bit of the signature", forge::with_signature_bit_turned(&token, 0), "signature-invalid"),
        ("last bit of the signature", forge::with_signature_bit_turned(&token, 63), "signature-invalid"),
        ("signature of zeros", forge::with_signature(&token, &[0; 64]), "signature-invalid"),
        ("signature of ones", forge::with_signature(&token, &[0xff; 64]), "signature-invalid"),
        ("r and s are the order", forge::with_signature(&token, &[order, order].concat()), "signature-invalid"),
        ("signature of 63 bytes", forge::with_signature(&token, &[1; 63]), "signature-invalid"),
        ("signature of 65 bytes", forge::with_signature(&token, &[1; 65]), "signature-invalid"),
        (
            "signature in DER",
            forge::with_signature(&token, &[&[0x30, 0x44, 2, 0x20][..], &[1; 32], &[2, 0x20], &[1; 32]].concat()),
            "signature-invalid",
        ),
        ("stray bits", forge::with_stray_bits(&token), "token-malformed"),
        ("padding", format!("{token}=="), "token-malformed"),
        ("standard base64", format!("{header}.{payload}.{}", "+/".repeat(43)), "token-malformed"),
        ("a line break at the end", format!("{token}\n"), "token-malformed"),
        ("a fourth part", format!("{token}.{signature}"), "token-malformed"),
        ("an empty fourth part", format!("{token}."), "token-malformed"),
        ("two parts", format!("{header}.{payload}"), "token-malformed"),
        ("Bearer before it", format!("Bearer {token}"), "token-malformed"),
        ("nothing", String::new(), "token-malformed"),
        ("oversized", format!("{token}{}", "A".repeat(TOKEN_BYTES_MAX)), "token-too-long"),
        ("payload is no JSON", forge::with_payload(&token, b"root"), "claims-malformed"),
    ] {
        let rejection = check(&issuer, &forged, &rules(&issuer)).expect_err(name);
        assert_eq!(rejection.code(), expected, "{name}: {rejection}");
        let shown = format!("{rejection} {rejection:?}");
        assert!(shown.len() < 2_000 && !shown.contains(signature), "{name} shows too much: {shown}");
    }
    assert_eq!(code(check(&issuer, &token, &rules(&issuer))), None);
}

#[test]
fn signed_claims_that_are_wrong_are_refused() {
    let issuer = TestIssuer::new();
    let exp = "\"exp\":1743101746";
    for (changes, expected) in [
        (json!({"iss": null}), "claim-missing"),
        (json!({"iss": 1}), "claim-type"),
        (json!({"iss": ["https://issuer.test"]}), "claim-type"),
        (json!({"iss": "https://issuer.test/"}), "issuer-mismatch"),
        (json!({"iss": "HTTPS://issuer.test"}), "issuer-mismatch"),
        (json!({"iss": "https://issuer.test.attacker.example"}), "issuer-mismatch"),
        (json!({"iss": ""}), "issuer-mismatch"),
        (json!({"exp": null}), "claim-missing"),
        (json!({"exp": "1743101746"}), "claim-type"),
        (json!({"exp": true}), "claim-type"),
        (json!({"exp": [1_743_101_746]}), "claim-type"),
        (json!({"exp": -1}), "claim-type"),
        (json!({"exp": -0.5}), "claim-type"),
        (json!({"exp": 1e300}), "claim-type"),
        (json!({"exp": u64::MAX}), "claim-type"),
        (json!({"exp": 1_743_101_746_000_i64}), "claim-type"),
        (json!({"exp": 0}), "expired"),
        (json!({"exp": 1_743_101_416}), "expired"),
        (json!({"exp": 1_743_101_416.0}), "expired"),
        (json!({"exp": 1_743_105_047}), "lifetime-too-long"),
        (json!({"nbf": "now"}), "claim-type"),
        (json!({"nbf": -1}), "claim-type"),
        (json!({"nbf": 1_743_101_477}), "not-yet-valid"),
        (json!({"nbf": 1_743_101_476.000_001}), "not-yet-valid"),
        (json!({"nbf": null}), "claim-missing"),
        (json!({"iat": {}}), "claim-type"),
        (json!({"iat": 1_743_101_477}), "issued-in-future"),
        (json!({"iat": 0}), "lifetime-too-long"),
        (json!({"iat": null}), "claim-missing"),
        (json!({"aud": null}), "claim-missing"),
        (json!({"aud": 1}), "claim-type"),
        (json!({"aud": {"aud": issuer.audience()}}), "claim-type"),
        (json!({"aud": [issuer.audience(), 1]}), "claim-type"),
        (json!({"aud": [[issuer.audience()]]}), "claim-type"),
        (json!({"aud": []}), "audience-mismatch"),
        (json!({"aud": ""}), "audience-mismatch"),
        (json!({"aud": "elsewhere"}), "audience-mismatch"),
        (json!({"aud": [format!("{} ", issuer.audience()), "*"]}), "audience-mismatch"),
        (json!({"sub": 1}), "claim-type"),
        (json!({"sub": null}), "claim-missing"),
        (json!({"jti": ["x"]}), "claim-type"),
        (json!({"salad_workload_id": null}), "claim-missing"),
    ] {
        let token = issuer.sign_claims(changed(&issuer, &changes));
        let rejection = check(&issuer, &token, &rules(&issuer)).expect_err(&changes.to_string());
        assert_eq!(rejection.code(), expected, "{changes}: {rejection}");
    }
    for (name, token, expected) in [
        ("exp is null", signed_with(&issuer, exp, "\"exp\":null"), "claim-type"),
        ("exp twice", signed_with(&issuer, exp, "\"exp\":1743101746,\"exp\":9999999999"), "claim-repeated"),
        (
            "sub twice, once escaped",
            signed_with(&issuer, exp, "\"exp\":1743101746,\"s\\u0075b\":\"x\""),
            "claim-repeated",
        ),
        ("exp beyond any number", signed_with(&issuer, exp, "\"exp\":1e999"), "claims-malformed"),
        ("exp is NaN", signed_with(&issuer, exp, "\"exp\":NaN"), "claims-malformed"),
        ("a list", issuer.sign(b"[]"), "claims-malformed"),
        ("a text", issuer.sign(b"\"sub\""), "claims-malformed"),
        ("nothing", issuer.sign(b""), "claims-malformed"),
        ("not UTF-8", issuer.sign(b"{\"sub\":\"\xff\"}"), "claims-malformed"),
        ("two objects", issuer.sign(b"{}{}"), "claims-malformed"),
        ("a deep list", issuer.sign(format!("{{\"a\":{}", "[".repeat(5_000)).as_bytes()), "claims-malformed"),
        ("no claims", issuer.sign(b"{}"), "claim-missing"),
    ] {
        let rejection = check(&issuer, &token, &rules(&issuer)).expect_err(name);
        assert_eq!(rejection.code(), expected, "{name}: {rejection}");
    }
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
    let forged = forged_header(&issuer.token(NOW), r#"{"alg":"RS256","kid":"test-1","typ":"JWT"}"#);
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
