// SPDX-License-Identifier: Apache-2.0
//! Compact tokens: what is signed, and each way in which one can be malformed or forged.

use cress_domain::KeyId;
use cress_domain::limits::TOKEN_BYTES_MAX;

use super::{compact, signing_key};
use crate::json::JsonError;
use crate::{Algorithm, CompactJws, JwsError, JwsParts, Part, SignError, base64url};

const HEADER: &str = r#"{"alg":"ES256","kid":"test-1","typ":"JWT"}"#;

fn parse(token: &str) -> Result<(), JwsError> {
    CompactJws::parse(token).map(|_| ())
}

#[test]
fn the_header_is_exactly_the_reference_platforms() {
    let key = signing_key();
    let token = key.sign(b"{}").unwrap();
    let parts = JwsParts::split(&token).unwrap();
    assert_eq!(parts.header(), HEADER.as_bytes());
    assert_eq!((parts.payload(), parts.signature().len()), (b"{}".as_slice(), 64));

    let jws = CompactJws::parse(&token).unwrap();
    assert_eq!(jws.header().algorithm(), Algorithm::Es256);
    assert_eq!(jws.header().kid(), Some(key.kid()));
    assert_eq!(jws.header().typ(), Some("JWT"));
    assert_eq!(jws.verify(&key.public_jwk().verification_key().unwrap()), Ok(()));
    assert!(!format!("{jws:?}").contains("payload"));
}

#[test]
fn signing_appends_and_leaves_nothing_behind_when_it_fails() {
    let key = signing_key();
    let mut text = "Bearer ".to_owned();
    key.sign_into(b"{}", &mut text).unwrap();
    let jws = CompactJws::parse(text.strip_prefix("Bearer ").unwrap()).unwrap();
    assert_eq!(jws.verify(&key.public_jwk().verification_key().unwrap()), Ok(()));

    let mut text = "Bearer ".to_owned();
    assert!(matches!(key.sign_into(&[b' '; TOKEN_BYTES_MAX], &mut text), Err(SignError::TooLong(11_067))));
    assert_eq!(text, "Bearer ");
}

#[test]
fn headers_are_strict() {
    let key_id = |text: &str| JwsError::KeyId(text.parse::<KeyId>().unwrap_err());
    let algorithm = |name: &str| JwsError::Algorithm(name.parse::<Algorithm>().unwrap_err());
    let malformed = || JwsError::HeaderJson(JsonError::Malformed);
    let with_kid = |kid: &str| format!(r#"{{"alg":"ES256","kid":{kid}}}"#);
    for (header, error) in [
        ("", malformed()),
        ("null", malformed()),
        ("[]", malformed()),
        (r#""ES256""#, malformed()),
        (r#"{"alg":"ES256""#, malformed()),
        (r#"{"alg":"ES256"}{}"#, malformed()),
        (r#"{"alg":"ES256",}"#, malformed()),
        ("\u{feff}{\"alg\":\"ES256\"}", malformed()),
        (r#"{"alg":"none","alg":"ES256"}"#, JwsError::HeaderJson(JsonError::Repeated("alg".into()))),
        (r#"{"alg":"ES256","x":1,"x":2}"#, JwsError::HeaderJson(JsonError::Repeated("x".into()))),
        (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, JwsError::Critical),
        (r#"{"alg":"ES256","crit":[]}"#, JwsError::Critical),
        (r#"{"alg":"ES256","crit":null}"#, JwsError::Critical),
        ("{}", JwsError::AlgorithmMissing),
        (r#"{"ALG":"ES256"}"#, JwsError::AlgorithmMissing),
        (r#"{"alg":null}"#, JwsError::HeaderMember("alg")),
        (r#"{"alg":["ES256"]}"#, JwsError::HeaderMember("alg")),
        (r#"{"alg":"none"}"#, algorithm("none")),
        (r#"{"alg":"nOnE"}"#, algorithm("nOnE")),
        (r#"{"alg":""}"#, algorithm("")),
        (r#"{"alg":"HS256"}"#, algorithm("HS256")),
        (r#"{"alg":"es256"}"#, algorithm("es256")),
        (r#"{"alg":"ES256 "}"#, algorithm("ES256 ")),
        (r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, algorithm("RSA-OAEP")),
        (&with_kid("null"), JwsError::HeaderMember("kid")),
        (&with_kid("7"), JwsError::HeaderMember("kid")),
        (&with_kid(r#"["test-1"]"#), JwsError::HeaderMember("kid")),
        (&with_kid(r#""""#), key_id("")),
        (&with_kid(r#""a b""#), key_id("")),
        (&with_kid(r#""test-1\u0000""#), key_id("")),
        (&with_kid(r#""test-1\n""#), key_id("")),
        (&with_kid(r#""tést""#), key_id("")),
        (&with_kid(r#""' OR 1=1 --""#), key_id("")),
        (&with_kid(&format!("{:?}", "k".repeat(256))), key_id("")),
        (r#"{"alg":"ES256","typ":1}"#, JwsError::HeaderMember("typ")),
        (&format!(r#"{{"alg":"ES256","typ":"{}"}}"#, "J".repeat(65)), JwsError::HeaderMember("typ")),
    ] {
        assert_eq!(parse(&compact(header, b"{}", &[1; 64])), Err(error), "{header}");
    }
    for header in [
        r#"{"alg":"ES256"}"#,
        r#" { "typ" : "at+jwt", "\u0061lg" : "ES256" } "#,
        r#"{"alg":"ES256","kid":"../../../../etc/passwd"}"#,
        r#"{"alg":"ES256","kid":"https://attacker.example/jwks.json"}"#,
        r#"{"alg":"ES256","jku":"https://attacker.example","jwk":{"kty":"oct"},"x5u":1,"x5c":[],"unknown":{}}"#,
    ] {
        assert_eq!(parse(&compact(header, b"{}", &[1; 64])), Ok(()), "{header}");
    }
}

#[test]
fn the_form_is_strict() {
    let token = signing_key().sign(br#"{"sub":"x"}"#).unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for (damaged, error) in [
        (String::new(), JwsError::PartCount(1)),
        (header.to_owned(), JwsError::PartCount(1)),
        (format!("{header}.{payload}"), JwsError::PartCount(2)),
        (format!("{token}.{signature}"), JwsError::PartCount(4)),
        (format!("{token}."), JwsError::PartCount(4)),
        (format!(".{token}"), JwsError::PartCount(4)),
        (format!("{header}..{payload}.{signature}"), JwsError::PartCount(4)),
        ("a.b.c.d.e".to_owned(), JwsError::PartCount(5)),
        ("..".to_owned(), JwsError::HeaderJson(JsonError::Malformed)),
        (format!(".{payload}.{signature}"), JwsError::HeaderJson(JsonError::Malformed)),
        (format!("{header}.{payload}."), JwsError::SignatureMissing),
        (format!("{token}="), JwsError::Base64(Part::Signature)),
        (format!("{token}\n"), JwsError::Base64(Part::Signature)),
        (format!("{token} "), JwsError::Base64(Part::Signature)),
        (format!(" {token}"), JwsError::Base64(Part::Header)),
        (format!("{header}=.{payload}.{signature}"), JwsError::Base64(Part::Header)),
        (format!("{header}.{payload}=.{signature}"), JwsError::Base64(Part::Payload)),
        (format!("{header}.{payload}\0.{signature}"), JwsError::Base64(Part::Payload)),
        (format!("{header}.{payload}AA.{signature}"), JwsError::Base64(Part::Payload)),
        (format!("{header}.eyJzdWIiOiJ4In1.{signature}"), JwsError::Base64(Part::Payload)),
        (format!("{header}.+/{payload}.{signature}"), JwsError::Base64(Part::Payload)),
        (format!("{header}.{payload}.é"), JwsError::Base64(Part::Signature)),
        ("a".repeat(TOKEN_BYTES_MAX + 1), JwsError::TooLong(TOKEN_BYTES_MAX + 1)),
        (".".repeat(TOKEN_BYTES_MAX), JwsError::PartCount(TOKEN_BYTES_MAX + 1)),
    ] {
        assert_eq!(parse(&damaged), Err(error), "{}", &damaged[..damaged.floor_char_boundary(80)]);
    }
}

#[test]
fn one_sequence_of_bytes_has_one_spelling() {
    let token = signing_key().sign(b"{}").unwrap();
    let (start, last) = token.split_at(token.len() - 1);
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
    let accepted: Vec<char> = spellings.filter(|character| parse(&format!("{start}{character}")).is_ok()).collect();
    assert_eq!(accepted, ['A', 'Q', 'g', 'w'], "64 bytes leave four bits unused, which must be zero");
    assert!(accepted.contains(&last.chars().next().unwrap()));
}

#[test]
fn the_key_decides_on_the_algorithm() {
    let key = signing_key();
    let verification_key = key.public_jwk().verification_key().unwrap();
    let token = key.sign(b"{}").unwrap();
    let signature = JwsParts::split(&token).unwrap().signature().to_vec();
    for algorithm in ["ES384", "RS256", "RS384", "RS512", "PS256", "EdDSA"] {
        let forged = compact(&HEADER.replace("ES256", algorithm), b"{}", &signature);
        let refused = CompactJws::parse(&forged).unwrap().verify(&verification_key);
        let header = algorithm.parse().unwrap();
        assert_eq!(refused, Err(JwsError::AlgorithmMismatch { header, key: Algorithm::Es256 }));
    }
    let other = signing_key().public_jwk().verification_key().unwrap();
    assert_eq!(CompactJws::parse(&token).unwrap().verify(&other), Err(JwsError::SignatureInvalid));
}

#[test]
fn signatures_with_impossible_numbers_are_refused() {
    // The order of P-256 (FIPS 186-4, D.1.2.3).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut one = [0; 32];
    one[31] = 1;
    let mut beyond_order = ORDER;
    beyond_order[31] += 1;
    let key = signing_key();
    let verification_key = key.public_jwk().verification_key().unwrap();
    let token = key.sign(b"{}").unwrap();
    let good = JwsParts::split(&token).unwrap().signature().to_vec();
    let (r, s) = good.split_at(32);
    let verify =
        |signature: &[u8]| CompactJws::parse(&compact(HEADER, b"{}", signature)).unwrap().verify(&verification_key);
    assert_eq!(verify(&good), Ok(()));

    let numbers: [&[u8]; 5] = [&[0; 32], &one, &ORDER, &beyond_order, &[0xff; 32]];
    for number in numbers {
        for signature in [[number, s].concat(), [r, number].concat(), [number, number].concat()] {
            assert_eq!(verify(&signature), Err(JwsError::SignatureInvalid), "{signature:02x?}");
        }
    }
    let der = [&[0x30, 0x44, 0x02, 0x20][..], r, &[0x02, 0x20], s].concat();
    let zeros = [&[0], r, &[0], s].concat();
    for signature in [&good[..1], &good[..63], &[&good[..], &[0]].concat(), &[&[0], &good[..]].concat(), &der, &zeros] {
        assert_eq!(verify(signature), Err(JwsError::SignatureInvalid), "{} bytes", signature.len());
    }
    assert_eq!(verify(&[s, r].concat()), Err(JwsError::SignatureInvalid));
    assert_eq!(verify(&[good.as_slice(), good.as_slice()].concat()), Err(JwsError::SignatureInvalid));
    assert_eq!(base64url::decode(token.rsplit('.').next().unwrap()).unwrap(), good);
}
