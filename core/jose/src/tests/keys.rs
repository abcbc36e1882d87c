// SPDX-License-Identifier: Apache-2.0
//! Public keys and sets that are written and read, and those that are refused.

use serde_json::{Value, json};

use super::signing_key;
use crate::json::JsonError;
use crate::{Algorithm, JWKS_BYTES_MAX, JWKS_KEYS_MAX, Jwk, JwkError, JwkSet, JwksError, SigningKey, SigningKeyError};
use crate::{base64url, compact_length};

fn ec() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn rsa(modulus_bytes: usize, first: u8) -> Value {
    let mut n = vec![0xff; modulus_bytes];
    n[0] = first;
    json!({"kty": "RSA", "kid": "a", "n": base64url::encode(&n), "e": "AQAB"})
}

/// A key with these members changed; null removes one.
fn with(mut key: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => key.as_object_mut().unwrap().remove(name),
            value => key.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    key
}

fn parse(key: &Value) -> Result<Jwk, JwkError> {
    Jwk::parse(key.to_string().as_bytes())
}

#[test]
fn our_key_is_written_as_the_reference_platform_writes_it() {
    let key = SigningKey::generate("salad-workload-2025-03-19T16:59:51.0020098Z".parse().unwrap()).unwrap();
    let json = JwkSet::new(vec![key.public_jwk()]).unwrap().to_json();
    let parsed: Value = serde_json::from_str(&json).unwrap();
    let (x, y) = (parsed["keys"][0]["x"].as_str().unwrap(), parsed["keys"][0]["y"].as_str().unwrap());
    let expected = format!(
        r#"{{"keys":[{{"crv":"P-256","x":"{x}","y":"{y}","kid":"salad-workload-2025-03-19T16:59:51.0020098Z","kty":"EC","use":"sig"}}]}}"#
    );
    assert_eq!(json, expected);
    assert_eq!((x.len(), y.len()), (43, 43));
    assert_eq!(JwkSet::parse(json.as_bytes()).unwrap(), JwkSet::new(vec![key.public_jwk()]).unwrap());
}

#[test]
fn keys_of_each_type_are_read_and_bound_to_one_algorithm() {
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    for (key, algorithm) in [
        (ec(), Algorithm::Es256),
        (with(ec(), json!({"alg": "ES256"})), Algorithm::Es256),
        (with(ec(), json!({"use": null, "kid": null})), Algorithm::Es256),
        (with(ec(), json!({"key_ops": ["verify"], "x5c": 1, "foreign": {}})), Algorithm::Es256),
        (rsa(256, 0x80), Algorithm::Rs256),
        (rsa(1024, 0xff), Algorithm::Rs256),
        (with(rsa(256, 0xff), json!({"alg": "RS512"})), Algorithm::Rs512),
        (with(rsa(256, 0xff), json!({"alg": "PS256", "e": "Aw"})), Algorithm::Ps256),
        (ed25519, Algorithm::EdDsa),
    ] {
        let jwk = parse(&key).unwrap_or_else(|error| panic!("{key} was refused: {error}"));
        assert_eq!(jwk.verification_key().unwrap().algorithm(), algorithm, "{key}");
        assert_eq!(parse(&serde_json::to_value(&jwk).unwrap()), Ok(jwk), "{key}");
    }
    let unspecific = parse(&rsa(256, 0xff)).unwrap();
    assert_eq!(unspecific.verification_key_for(Algorithm::Rs384).unwrap().algorithm(), Algorithm::Rs384);
    let mismatch = JwkError::AlgorithmMismatch(Algorithm::Es256);
    assert_eq!(unspecific.verification_key_for(Algorithm::Es256).unwrap_err(), mismatch);
    let specific = parse(&with(rsa(256, 0xff), json!({"alg": "RS256"}))).unwrap();
    let mismatch = JwkError::AlgorithmMismatch(Algorithm::Rs384);
    assert_eq!(specific.verification_key_for(Algorithm::Rs384).unwrap_err(), mismatch);
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    for (key, error) in [
        (with(ec(), json!({"kty": null})), JwkError::Member("kty")),
        (with(ec(), json!({"kty": 1})), JwkError::Member("kty")),
        (with(ec(), json!({"kty": "ec"})), JwkError::KeyType),
        (with(ec(), json!({"kty": "oct"})), JwkError::KeyType),
        (with(ec(), json!({"crv": null})), JwkError::Member("crv")),
        (with(ec(), json!({"crv": "P-521"})), JwkError::Curve),
        (with(ec(), json!({"crv": "secp256k1"})), JwkError::Curve),
        (with(ec(), json!({"crv": "P-384"})), JwkError::Member("x")),
        (with(ec(), json!({"kty": "OKP", "crv": "X25519"})), JwkError::Curve),
        (with(ec(), json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})), JwkError::Member("x")),
        (with(ec(), json!({"x": null})), JwkError::Member("x")),
        (with(ec(), json!({"x": 1})), JwkError::Member("x")),
        (with(ec(), json!({"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0="})), JwkError::Member("y")),
        (with(ec(), json!({"y": "x/FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})), JwkError::Member("y")),
        (with(ec(), json!({"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"})), JwkError::Member("y")),
        (with(ec(), json!({"y": base64url::encode(&[0; 33])})), JwkError::Member("y")),
        (with(ec(), json!({"y": base64url::encode(&[1; 32])})), JwkError::Invalid),
        (with(ec(), json!({"x": base64url::encode(&[0; 32]), "y": base64url::encode(&[0; 32])})), JwkError::Invalid),
        (with(ec(), json!({"x": base64url::encode(&[255; 32])})), JwkError::Invalid),
        (with(ec(), json!({"use": "enc"})), JwkError::Use),
        (with(ec(), json!({"use": ["sig"]})), JwkError::Use),
        (with(ec(), json!({"key_ops": ["sign"]})), JwkError::Use),
        (with(ec(), json!({"key_ops": "verify"})), JwkError::Use),
        (with(ec(), json!({"alg": 1})), JwkError::Member("alg")),
        (with(ec(), json!({"alg": "ES256K"})), JwkError::Algorithm("ES256K".parse::<Algorithm>().unwrap_err())),
        (with(ec(), json!({"alg": "HS256"})), JwkError::Algorithm("HS256".parse::<Algorithm>().unwrap_err())),
        (with(ec(), json!({"alg": "RS256"})), JwkError::AlgorithmMismatch(Algorithm::Rs256)),
        (with(ec(), json!({"alg": "ES384"})), JwkError::AlgorithmMismatch(Algorithm::Es384)),
        (with(ec(), json!({"kid": 1})), JwkError::Member("kid")),
        (with(ec(), json!({"kid": ""})), JwkError::KeyId("".parse::<cress_domain::KeyId>().unwrap_err())),
        (with(ec(), json!({"kid": "a".repeat(256)})), JwkError::KeyId("".parse::<cress_domain::KeyId>().unwrap_err())),
        (with(ec(), json!({"d": ""})), JwkError::Private("d")),
        (with(rsa(256, 0xff), json!({"qi": "AQ"})), JwkError::Private("qi")),
        (with(ec(), json!({"k": "AQ"})), JwkError::Private("k")),
        (rsa(256, 0x7f), JwkError::RsaSize(2047)),
        (rsa(128, 0xff), JwkError::RsaSize(1024)),
        (rsa(1025, 0x01), JwkError::RsaSize(8193)),
        (rsa(257, 0x00), JwkError::Member("n")),
        (with(rsa(256, 0xff), json!({"n": ""})), JwkError::Member("n")),
        (with(rsa(256, 0xff), json!({"e": ""})), JwkError::Member("e")),
        (with(rsa(256, 0xff), json!({"e": "AQ"})), JwkError::Member("e")),
        (with(rsa(256, 0xff), json!({"e": "Ag"})), JwkError::Member("e")),
        (with(rsa(256, 0xff), json!({"e": "AAEAAQ"})), JwkError::Member("e")),
        (with(rsa(256, 0xff), json!({"e": "AQAAAAE"})), JwkError::Member("e")),
    ] {
        assert_eq!(parse(&key), Err(error), "{key}");
    }
    assert_eq!(Jwk::parse(b"[]"), Err(JwkError::Json(JsonError::Malformed)));
    let repeated = ec().to_string().replace("\"kid\":", "\"kid\":\"b\",\"kid\":");
    assert_eq!(Jwk::parse(repeated.as_bytes()), Err(JwkError::Json(JsonError::Repeated("kid".into()))));
}

#[test]
fn a_set_leaves_out_what_it_cannot_use() {
    let keys = json!({"keys": [ec(), with(ec(), json!({"kid": "b", "use": "enc"})), with(ec(), json!({"kid": null})), 7,
        with(ec(), json!({"kid": "c"})), with(ec(), json!({"use": "enc"}))], "foreign": 1});
    let set = JwkSet::parse(keys.to_string().as_bytes()).unwrap();
    let skipped: Vec<_> = set.skipped().iter().map(|key| (key.index, key.reason.clone())).collect();
    let malformed = JwkError::Json(JsonError::Malformed);
    assert_eq!(skipped, [(1, JwkError::Use), (2, JwkError::KeyIdMissing), (3, malformed), (5, JwkError::Use)]);
    assert_eq!(set.keys().len(), 2);
    assert!(set.get("c").is_some() && set.get("b").is_none() && set.get("").is_none());
    assert_eq!(JwkSet::parse(br#"{"keys":[]}"#).unwrap().to_json(), r#"{"keys":[]}"#);
}

#[test]
fn sets_that_cannot_be_trusted_are_refused() {
    let check = |text: &str, error: JwksError| {
        assert_eq!(JwkSet::parse(text.as_bytes()), Err(error), "{}", &text[..text.len().min(80)]);
    };
    for text in
        ["", "[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[]}x"#, r#"{"keys":[],"keys":[]}"#]
    {
        check(text, JwksError::Malformed);
    }
    check(&json!({"keys": [ec(), ec()]}).to_string(), JwksError::RepeatedKeyId("a".into()));
    let many = |count| json!({"keys": vec![1; count]}).to_string();
    check(&many(JWKS_KEYS_MAX + 1), JwksError::TooManyKeys(JWKS_KEYS_MAX + 1));
    assert_eq!(JwkSet::parse(many(JWKS_KEYS_MAX).as_bytes()).unwrap().skipped().len(), JWKS_KEYS_MAX);
    check(&" ".repeat(JWKS_BYTES_MAX + 1), JwksError::TooLong(JWKS_BYTES_MAX + 1));

    let jwk = parse(&ec()).unwrap();
    let anonymous = parse(&with(ec(), json!({"kid": null}))).unwrap();
    assert_eq!(JwkSet::new(vec![anonymous]), Err(JwksError::Key(JwkError::KeyIdMissing)));
    assert_eq!(JwkSet::new(vec![jwk.clone(), jwk.clone()]), Err(JwksError::RepeatedKeyId("a".into())));
    assert_eq!(JwkSet::new(vec![jwk; JWKS_KEYS_MAX + 1]), Err(JwksError::TooManyKeys(JWKS_KEYS_MAX + 1)));
}

#[test]
fn a_key_pair_survives_storage() {
    let key = signing_key();
    let again = SigningKey::from_pkcs8(key.kid().clone(), &key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    for bytes in [vec![], vec![0x30, 0], key.to_pkcs8().unwrap().expose()[..60].to_vec()] {
        let refused = SigningKey::from_pkcs8(key.kid().clone(), &bytes.into()).unwrap_err();
        assert_eq!(refused, SigningKeyError::Malformed);
    }
}

#[test]
fn nothing_of_a_key_pair_is_shown() {
    let key = signing_key();
    assert_eq!(format!("{key:?}"), "SigningKey(test-1)");
    assert_eq!(format!("{:?}", key.public_jwk().verification_key().unwrap()), "VerificationKey(ES256)");
}

#[test]
fn the_length_of_a_token_is_known_before_it_is_signed() {
    for (kid, payload) in (1..=255).step_by(7).zip(0..) {
        let key = SigningKey::generate("k".repeat(kid).parse().unwrap()).unwrap();
        assert_eq!(key.sign(&vec![b'x'; payload]).unwrap().len(), compact_length(kid, payload));
    }
}

#[test]
fn keys_are_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<SigningKey>();
    shared::<crate::VerificationKey>();
    shared::<JwkSet>();
}
