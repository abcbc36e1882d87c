// SPDX-License-Identifier: Apache-2.0
//! One token for each way in which a token can be wrong, with the code of its refusal.

use cress_domain::limits::TOKEN_BYTES_MAX;
use cress_domain::{Clock, Timestamp};
use serde_json::{Map, Value, json};

use crate::{MockClock, TestIssuer, forge};

/// A token that every verifier must refuse under [`TestIssuer::rules`] at the time of [`MockClock::default`].
#[derive(Debug, Clone)]
pub struct BadToken {
    /// What is wrong with it.
    pub name: String,
    /// The token.
    pub token: String,
    /// The code of the refusal.
    pub code: &'static str,
}

/// The issuer's token in all wrong forms: forged and damaged ones first, then ones that it signed itself.
#[must_use]
pub fn bad_tokens(issuer: &TestIssuer) -> Vec<BadToken> {
    bad_tokens_at(issuer, MockClock::default().now())
}

/// As [`bad_tokens`], wrong at this time. Some lie a second or less beyond what a leeway of 30 s allows, and become good soon.
#[must_use]
pub fn bad_tokens_at(issuer: &TestIssuer, now: Timestamp) -> Vec<BadToken> {
    let changed = wrong_claims(issuer, now).into_iter().map(|(changes, code)| {
        let token = issuer.sign_claims(with_changes(issuer.claims(now), &changes));
        BadToken { name: changes.to_string(), token, code }
    });
    let named = |(name, token, code): (&str, String, &'static str)| BadToken { name: name.to_owned(), token, code };
    let forged = forged(issuer, now).into_iter().map(named);
    forged.chain(changed).chain(wrong_payloads(issuer, now).into_iter().map(named)).collect()
}

/// These claims with some changed; null removes one.
///
/// # Panics
/// If the changes are no object.
#[must_use]
pub fn with_changes(mut claims: Map<String, Value>, changes: &Value) -> Map<String, Value> {
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn forged(issuer: &TestIssuer, now: Timestamp) -> Vec<(&'static str, String, &'static str)> {
    let token = issuer.token(now);
    let other = issuer.token(now);
    let [header, payload, signature] = forge::parts(&token);
    let kid = |kid: &str| forge::with_header(&token, &json!({"alg": "ES256", "kid": kid, "typ": "JWT"}).to_string());
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let stranger = TestIssuer::with_issuer(issuer.issuer().as_str());
    vec![
        ("alg none", forge::alg_none(&token), "algorithm-not-allowed"),
        (
            "alg none with the signature left",
            forge::with_header(&token, r#"{"alg":"none","kid":"test-1"}"#),
            "algorithm-not-allowed",
        ),
        ("alg HS256, the public key as secret", forge::hs256_with_public_key(&token, issuer), "algorithm-not-allowed"),
        ("alg RS256", forge::with_header(&token, r#"{"alg":"RS256","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("alg ES384", forge::with_header(&token, r#"{"alg":"ES384","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("alg ES512", forge::with_header(&token, r#"{"alg":"ES512","kid":"test-1"}"#), "algorithm-not-allowed"),
        ("no alg", forge::with_header(&token, r#"{"kid":"test-1"}"#), "token-malformed"),
        ("two algs", forge::with_header(&token, r#"{"alg":"ES256","alg":"none","kid":"test-1"}"#), "token-malformed"),
        ("two kids", forge::with_header(&token, r#"{"alg":"ES256","kid":"test-1","kid":"test-1"}"#), "token-malformed"),
        ("crit", forge::with_header(&token, r#"{"alg":"ES256","kid":"test-1","crit":["exp"]}"#), "token-malformed"),
        (
            "typ of a revocation list",
            forge::with_header(&token, r#"{"alg":"ES256","kid":"test-1","typ":"x+jwt"}"#),
            "type-not-allowed",
        ),
        ("no kid", forge::with_header(&token, r#"{"alg":"ES256","typ":"JWT"}"#), "key-id-missing"),
        ("kid is a number", forge::with_header(&token, r#"{"alg":"ES256","kid":1}"#), "key-id-malformed"),
        ("kid is null", forge::with_header(&token, r#"{"alg":"ES256","kid":null}"#), "key-id-malformed"),
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
        ("another key of the same id", stranger.token(now), "signature-invalid"),
        (
            "another header",
            forge::with_header(&token, r#"{"alg":"ES256","kid":"test-1","typ":"JWT" }"#),
            "signature-invalid",
        ),
        ("another payload", forge::with_payload(&token, br#"{"sub":"root"}"#), "signature-invalid"),
        (
            "the payload of another token",
            format!("{header}.{}.{signature}", forge::parts(&other)[1]),
            "signature-invalid",
        ),
        (
            "the signature of another token",
            format!("{header}.{payload}.{}", forge::parts(&other)[2]),
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
    ]
}

/// Changes to good claims, which are then properly signed.
fn wrong_claims(issuer: &TestIssuer, now: Timestamp) -> Vec<(Value, &'static str)> {
    let now = now.unix_seconds();
    let exact = |seconds: f64| i32::try_from(now).map(f64::from).expect("a time before 2038") + seconds;
    vec![
        (json!({"iss": null}), "claim-missing"),
        (json!({"iss": 1}), "claim-type"),
        (json!({"iss": ["https://issuer.test"]}), "claim-type"),
        (json!({"iss": "https://issuer.test/"}), "issuer-mismatch"),
        (json!({"iss": "HTTPS://issuer.test"}), "issuer-mismatch"),
        (json!({"iss": "https://issuer.test.attacker.example"}), "issuer-mismatch"),
        (json!({"iss": ""}), "issuer-mismatch"),
        (json!({"exp": null}), "claim-missing"),
        (json!({"exp": (now + 300).to_string()}), "claim-type"),
        (json!({"exp": true}), "claim-type"),
        (json!({"exp": [now + 300]}), "claim-type"),
        (json!({"exp": -1}), "claim-type"),
        (json!({"exp": -0.5}), "claim-type"),
        (json!({"exp": 1e300}), "claim-type"),
        (json!({"exp": u64::MAX}), "claim-type"),
        (json!({"exp": (now + 300) * 1_000}), "claim-type"),
        (json!({"exp": 0}), "expired"),
        (json!({"exp": now - 30}), "expired"),
        (json!({"exp": exact(-30.0)}), "expired"),
        (json!({"exp": now + 3_601}), "lifetime-too-long"),
        (json!({"nbf": "now"}), "claim-type"),
        (json!({"nbf": -1}), "claim-type"),
        (json!({"nbf": now + 31}), "not-yet-valid"),
        (json!({"nbf": exact(30.000_001)}), "not-yet-valid"),
        (json!({"nbf": null}), "claim-missing"),
        (json!({"iat": {}}), "claim-type"),
        (json!({"iat": now + 31}), "issued-in-future"),
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
    ]
}

fn wrong_payloads(issuer: &TestIssuer, now: Timestamp) -> Vec<(&'static str, String, &'static str)> {
    let exp = &format!("\"exp\":{}", now.unix_seconds() + 300);
    let payload = Value::Object(issuer.claims(now)).to_string();
    assert!(payload.contains(exp), "{exp} is not in {payload}");
    let with_exp = |other: &str| issuer.sign(payload.replacen(exp, other, 1).as_bytes());
    vec![
        ("exp is null", with_exp("\"exp\":null"), "claim-type"),
        ("exp twice", with_exp(&format!("{exp},\"exp\":9999999999")), "claim-repeated"),
        ("sub twice, once escaped", with_exp(&format!("{exp},\"s\\u0075b\":\"x\"")), "claim-repeated"),
        ("exp beyond any number", with_exp("\"exp\":1e999"), "claims-malformed"),
        ("exp is NaN", with_exp("\"exp\":NaN"), "claims-malformed"),
        ("a list", issuer.sign(b"[]"), "claims-malformed"),
        ("a text", issuer.sign(b"\"sub\""), "claims-malformed"),
        ("nothing", issuer.sign(b""), "claims-malformed"),
        ("not UTF-8", issuer.sign(b"{\"sub\":\"\xff\"}"), "claims-malformed"),
        ("two objects", issuer.sign(b"{}{}"), "claims-malformed"),
        ("a deep list", issuer.sign(format!("{{\"a\":{}", "[".repeat(5_000)).as_bytes()), "claims-malformed"),
        ("no claims", issuer.sign(b"{}"), "claim-missing"),
    ]
}
