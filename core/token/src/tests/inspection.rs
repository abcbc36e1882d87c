// SPDX-License-Identifier: Apache-2.0
//! Tokens taken apart for people.

use cress_testkit::{TestIssuer, forge};
use serde_json::json;

use super::{NOW, changed};
use crate::{Explanation, Inspection, TokenPart};

fn lines(token: &str) -> Vec<String> {
    let explanations = Inspection::parse(token).unwrap().explain(NOW);
    explanations.iter().map(|Explanation { name, value, .. }| format!("{name}: {value}")).collect()
}

#[test]
fn each_member_is_explained_in_order() {
    let issuer = TestIssuer::new();
    let identity = issuer.identity();
    let changes = json!({
        "jti": "j", "iat": 1_743_101_386, "nbf": 1_743_101_446, "exp": 1_743_101_746.5, "team": ["vision", 7],
        "auth_time": 1,
    });
    let token = issuer.sign_claims(changed(&issuer, &changes));
    assert_eq!(
        lines(&token),
        [
            "alg: ES256".to_owned(),
            "kid: test-1".to_owned(),
            "typ: JWT".to_owned(),
            "iss: https://issuer.test".to_owned(),
            format!("sub: {}", identity.machine_id),
            format!("aud: {}", identity.organization_id),
            "iat: 2025-03-27T18:49:46Z, 1 min 0 s ago".to_owned(),
            "nbf: 2025-03-27T18:50:46Z, now".to_owned(),
            "exp: 2025-03-27T18:55:46Z, in 5 min 0 s".to_owned(),
            "jti: j".to_owned(),
            format!("salad_instance_id: {}", identity.instance_id),
            format!("salad_machine_id: {}", identity.machine_id),
            format!("salad_workload_id: {}", identity.container_group_id),
            "salad_workload_name: demo".to_owned(),
            format!("salad_organization_id: {}", identity.organization_id),
            "salad_organization_name: acme".to_owned(),
            "auth_time: 1".to_owned(),
            r#"team: ["vision",7]"#.to_owned(),
            "signature: 64 bytes".to_owned(),
        ]
    );
    let explanations = Inspection::parse(&token).unwrap().explain(NOW);
    assert_eq!(explanations[0].part, TokenPart::Header);
    assert_eq!(explanations[18].part, TokenPart::Signature);
    assert_eq!(
        serde_json::to_value(&explanations[7]).unwrap(),
        json!({"part": "payload", "name": "nbf", "meaning": "from when on the token is valid",
            "value": "2025-03-27T18:50:46Z, now"})
    );
    assert!(explanations.iter().all(|explanation| !explanation.meaning.is_empty()));
}

#[test]
fn what_no_one_may_accept_is_shown_all_the_same() {
    let issuer = TestIssuer::new();
    let token = issuer.sign_claims(
        json!({"exp": "tomorrow", "iat": 1e300, "sub": "a\u{1b}[31m\u{202e}b"}).as_object().unwrap().clone(),
    );
    let lines = lines(&forge::alg_none(&token));
    assert_eq!(lines[0], "alg: none (never accepted: only ES256, ES384, RS256, RS384, RS512, PS256 and EdDSA can be)");
    assert_eq!(lines[3], r"sub: a\u{1b}[31m\u{202e}b");
    assert_eq!(lines[4], "iat: 1e+300 (never accepted: no time between 1970 and 9999)");
    assert_eq!(lines[5], "exp: tomorrow (never accepted: no time between 1970 and 9999)");
    assert_eq!(lines[6], "signature: none: no service may accept this token");
}

#[test]
fn distances_are_in_words() {
    let issuer = TestIssuer::new();
    for (exp, expected) in [
        (NOW.unix_seconds() + 59, "in 59 s"),
        (NOW.unix_seconds() + 3_599, "in 59 min 59 s"),
        (NOW.unix_seconds() - 3_661, "1 h 1 min ago"),
        (NOW.unix_seconds() + 200_000, "in 2 d 7 h"),
        (0, "20174 d 18 h ago"),
    ] {
        let token = issuer.sign_claims(json!({"exp": exp}).as_object().unwrap().clone());
        let line = lines(&token).into_iter().find(|line| line.starts_with("exp")).unwrap();
        assert!(line.ends_with(expected), "{line}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = TestIssuer::new();
    let token = issuer.token(NOW);
    for (text, code) in [
        ("", "token-malformed"),
        ("a.b.c", "token-malformed"),
        (&token[1..], "token-malformed"),
        (&forge::with_payload(&token, b"[]"), "claims-malformed"),
        (&forge::with_payload(&token, br#"{"a":1,"a":2}"#), "claim-repeated"),
        (&"x".repeat(9_000), "token-too-long"),
    ] {
        assert_eq!(Inspection::parse(text).unwrap_err().code(), code);
    }
}
