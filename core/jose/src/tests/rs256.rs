// SPDX-License-Identifier: Apache-2.0
//! Keys that sign with RS256: the RFC's example, the oracle, and storage.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, KeySize, PublicKeyComponents};
use cress_domain::Secret;
use jsonwebtoken as oracle;
use serde_json::{Value, json};

use crate::key_pair::KeyPair;
use crate::{Algorithm, CompactJws, Jwk, JwkSet, SigningAlgorithm, SigningKey, SigningKeyError, TokenType, base64url};

/// The key of RFC 7515 appendix A.2.1 as PKCS #8.
fn rfc_key(example: &Value) -> Secret<Vec<u8>> {
    let number = |name: &str| base64url::decode(example["key"][name].as_str().unwrap()).unwrap();
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: number("n"), e: number("e") },
        d: number("d"),
        p: number("p"),
        q: number("q"),
        dP: number("dp"),
        dQ: number("dq"),
        qInv: number("qi"),
    };
    pkcs8(&RsaKeyPair::from_components(&components).unwrap())
}

fn pkcs8(pair: &RsaKeyPair) -> Secret<Vec<u8>> {
    Secret::new(AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap().as_ref().to_vec())
}

fn example() -> Value {
    let examples: Value = serde_json::from_str(include_str!("rfc.json")).unwrap();
    examples["signing"][0].clone()
}

fn key() -> SigningKey {
    SigningKey::generate_with("test-rsa".parse().unwrap(), SigningAlgorithm::Rs256).unwrap()
}

#[test]
fn the_rfcs_signature_is_made_again() {
    let example = example();
    let pair = KeyPair::from_pkcs8(SigningAlgorithm::Rs256, &rfc_key(&example)).unwrap();
    let (message, signature) = example["token"].as_str().unwrap().rsplit_once('.').unwrap();
    assert_eq!(base64url::encode(&pair.sign(message.as_bytes()).unwrap()), signature);
    let jwk = SigningKey::from_pkcs8_with("rfc".parse().unwrap(), SigningAlgorithm::Rs256, &rfc_key(&example));
    let public = serde_json::to_value(jwk.unwrap().public_jwk()).unwrap();
    assert_eq!((&public["n"], &public["e"]), (&example["key"]["n"], &example["key"]["e"]));
}

#[test]
fn others_check_what_is_signed() {
    let key = key();
    let jwk: oracle::jwk::Jwk = serde_json::from_value(serde_json::to_value(key.public_jwk()).unwrap()).unwrap();
    let decoding = oracle::DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = oracle::Validation::new(oracle::Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    let claims = json!({"sub": "worker-1"});
    for (token_type, typ) in [(TokenType::Jwt, "JWT"), (TokenType::AccessToken, "at+jwt")] {
        let token = key.sign_as(token_type, claims.to_string().as_bytes()).unwrap();
        let decoded = oracle::decode::<Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(decoded.claims, claims);
        assert_eq!(decoded.header.kid.as_deref(), Some("test-rsa"));
        assert_eq!(decoded.header.typ.as_deref(), Some(typ));
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.header().algorithm(), Algorithm::Rs256);
        jws.verify(&key.public_jwk().verification_key().unwrap()).unwrap();
    }
}

#[test]
fn a_pair_survives_storage_and_says_its_algorithm() {
    let key = key();
    let stored = key.to_pkcs8().unwrap();
    let again = SigningKey::from_pkcs8_with(key.kid().clone(), SigningAlgorithm::Rs256, &stored).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    assert_eq!(again.algorithm(), SigningAlgorithm::Rs256);
    let published = JwkSet::new(vec![key.public_jwk()]).unwrap().to_json();
    assert_eq!(JwkSet::parse(published.as_bytes()).unwrap().keys(), [key.public_jwk()]);
    assert!(published.contains(r#""kty":"RSA","use":"sig","alg":"RS256""#), "{published}");
    assert_eq!(Jwk::parse(serde_json::to_string(&key.public_jwk()).unwrap().as_bytes()).unwrap(), key.public_jwk());
    assert_eq!(format!("{key:?}"), "SigningKey(test-rsa)");
}

#[test]
fn a_pair_of_another_algorithm_is_refused() {
    let (rsa, ec) = (key().to_pkcs8().unwrap(), super::signing_key().to_pkcs8().unwrap());
    for (algorithm, pkcs8, error) in [
        (SigningAlgorithm::Es256, &rsa, SigningKeyError::Malformed),
        (SigningAlgorithm::Rs256, &ec, SigningKeyError::MalformedRsa),
        (SigningAlgorithm::Rs256, &Secret::new(Vec::new()), SigningKeyError::MalformedRsa),
        (SigningAlgorithm::Rs256, &Secret::new(rsa.expose()[..700].to_vec()), SigningKeyError::MalformedRsa),
    ] {
        assert_eq!(SigningKey::from_pkcs8_with("x".parse().unwrap(), algorithm, pkcs8).unwrap_err(), error);
    }
}

#[test]
fn a_longer_pair_of_the_operators_own_is_taken() {
    let pair = pkcs8(&RsaKeyPair::generate(KeySize::Rsa3072).unwrap());
    let key = SigningKey::from_pkcs8_with("x".parse().unwrap(), SigningAlgorithm::Rs256, &pair).unwrap();
    let token = key.sign(b"{}").unwrap();
    assert_eq!(token.rsplit_once('.').unwrap().1.len(), 512);
    CompactJws::parse(&token).unwrap().verify(&key.public_jwk().verification_key().unwrap()).unwrap();
}
