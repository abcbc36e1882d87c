// SPDX-License-Identifier: Apache-2.0
//! `jsonwebtoken` as the oracle: both libraries agree on what is signed and on what is refused.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use jsonwebtoken as oracle;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::signing_key;
use crate::{CompactJws, Jwk, SigningKey, VerificationKey, base64url};

/// The oracle's view of our key; claims are not its business here.
struct Oracle {
    key: oracle::DecodingKey,
    validation: oracle::Validation,
}

impl Oracle {
    fn of(jwk: &Jwk) -> Self {
        let jwk: oracle::jwk::Jwk = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
        let mut validation = oracle::Validation::new(oracle::Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { key: oracle::DecodingKey::from_jwk(&jwk).unwrap(), validation }
    }

    fn claims(&self, token: &str) -> Option<Map<String, Value>> {
        oracle::decode(token, &self.key, &self.validation).ok().map(|data| data.claims)
    }
}

fn ours(token: &str, key: &VerificationKey) -> Option<Map<String, Value>> {
    let jws = CompactJws::parse(token).ok()?;
    jws.verify(key).ok()?;
    serde_json::from_slice(jws.unverified_payload()).ok()
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        prop::collection::vec("[a-z]{0,8}", 0..4).prop_map(Value::from),
        Just(Value::Null),
    ];
    // Names of the registered claims are left out: the oracle demands types for them.
    prop::collection::btree_map("x\\PC{0,12}", value, 0..8).prop_map(|map| map.into_iter().collect())
}

/// One change to one byte, or a piece cut out or doubled.
#[derive(Debug, Clone)]
enum Damage {
    Replace(usize, char),
    Insert(usize, char),
    Remove(usize, usize),
    Double(usize, usize),
}

impl Damage {
    fn apply(&self, token: &str) -> String {
        let at = |position: usize| position % token.len();
        match *self {
            Self::Replace(position, character) => {
                let position = at(position);
                format!("{}{character}{}", &token[..position], &token[position + 1..])
            }
            Self::Insert(position, character) => {
                format!("{}{character}{}", &token[..at(position)], &token[at(position)..])
            }
            Self::Remove(start, length) => {
                let end = (at(start) + length).min(token.len());
                format!("{}{}", &token[..at(start)], &token[end..])
            }
            Self::Double(start, length) => {
                let end = (at(start) + length).min(token.len());
                format!("{}{}", &token[..end], &token[at(start)..])
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let character = || prop_oneof!["[A-Za-z0-9_.=+/ \\-]".prop_map(|text| text.chars().next().unwrap()), any::<char>()];
    prop_oneof![
        4 => (any::<usize>(), character()).prop_map(|(at, character)| Damage::Replace(at, character)),
        2 => (any::<usize>(), character()).prop_map(|(at, character)| Damage::Insert(at, character)),
        1 => (any::<usize>(), 1_usize..40).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => (any::<usize>(), 1_usize..40).prop_map(|(at, length)| Damage::Double(at, length)),
    ]
}

/// One key pair known to both libraries.
struct Pair {
    signing: SigningKey,
    verification: VerificationKey,
    oracle: Oracle,
    oracle_signing: oracle::EncodingKey,
}

impl Pair {
    fn new() -> Self {
        let signing = signing_key();
        let jwk = signing.public_jwk();
        Self {
            verification: jwk.verification_key().unwrap(),
            oracle: Oracle::of(&jwk),
            oracle_signing: oracle::EncodingKey::from_ec_der(signing.to_pkcs8().unwrap().expose()),
            signing,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn what_we_sign_it_accepts(claims in claims()) {
        let pair = Pair::new();
        let token = pair.signing.sign(&serde_json::to_vec(&claims).unwrap()).unwrap();
        prop_assert_eq!(pair.oracle.claims(&token), Some(claims.clone()));
        prop_assert_eq!(ours(&token, &pair.verification), Some(claims));
    }

    #[test]
    fn what_it_signs_we_accept(claims in claims(), kid in "[!#-\\[\\]-~]{1,40}") {
        let pair = Pair::new();
        let header = oracle::Header { kid: Some(kid.clone()), ..oracle::Header::new(oracle::Algorithm::ES256) };
        let token = oracle::encode(&header, &claims, &pair.oracle_signing).unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        prop_assert_eq!(jws.header().kid().unwrap().as_str(), kid);
        prop_assert_eq!(ours(&token, &pair.verification), Some(claims));
    }

    #[test]
    fn both_refuse_what_was_changed(claims in claims(), damages in prop::collection::vec(damage(), 40)) {
        let pair = Pair::new();
        let token = pair.signing.sign(&serde_json::to_vec(&claims).unwrap()).unwrap();
        for damage in damages {
            let damaged = damage.apply(&token);
            let expected = (damaged == token).then(|| claims.clone());
            prop_assert_eq!(ours(&damaged, &pair.verification), expected.clone(), "{:?}", &damage);
            prop_assert_eq!(pair.oracle.claims(&damaged), expected, "{:?}", &damage);
        }
    }

    #[test]
    fn nothing_makes_parsing_panic(text in "\\PC{0,60}(\\.\\PC{0,60}){0,3}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = CompactJws::parse(&text);
        let _ = CompactJws::parse(&[&bytes[..], &bytes, &bytes].map(base64url::encode).join("."));
        let _ = Jwk::parse(&bytes);
        let _ = crate::JwkSet::parse(&bytes);
    }
}

fn pem(pkcs8: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(pkcs8);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// The modulus in an `RSAPublicKey` of 2048 bits (RFC 8017, A.1.1): two lengths of three bytes and a zero before it.
fn modulus(public_key: &rsa::PublicKey) -> &[u8] {
    &public_key.as_ref()[9..9 + 256]
}

#[test]
fn each_algorithm_verifies_what_the_oracle_signs() {
    let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let es384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let ed25519 =
        Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap();
    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();

    let ec_jwk = |crv: &str, point: &[u8]| {
        let (x, y) = point[1..].split_at(point.len() / 2);
        json!({"kty": "EC", "crv": crv, "x": base64url::encode(x), "y": base64url::encode(y)})
    };
    let rsa_jwk =
        |alg: &str| json!({"kty": "RSA", "n": base64url::encode(modulus(rsa.public_key())), "e": "AQAB", "alg": alg});
    let ec_key = |pair: &EcdsaKeyPair| oracle::EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let rsa_key = || {
        oracle::EncodingKey::from_rsa_pem(
            pem(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap().as_ref()).as_bytes(),
        )
        .unwrap()
    };
    let ed_key = oracle::EncodingKey::from_ed_der(ed25519.to_pkcs8().unwrap().as_ref());
    let ed_jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(ed25519.public_key().as_ref())});

    let claims = json!({"sub": "x"});
    for (algorithm, signing, jwk) in [
        (oracle::Algorithm::ES256, ec_key(&es256), ec_jwk("P-256", es256.public_key().as_ref())),
        (oracle::Algorithm::ES384, ec_key(&es384), ec_jwk("P-384", es384.public_key().as_ref())),
        (oracle::Algorithm::RS256, rsa_key(), rsa_jwk("RS256")),
        (oracle::Algorithm::RS384, rsa_key(), rsa_jwk("RS384")),
        (oracle::Algorithm::RS512, rsa_key(), rsa_jwk("RS512")),
        (oracle::Algorithm::PS256, rsa_key(), rsa_jwk("PS256")),
        (oracle::Algorithm::EdDSA, ed_key, ed_jwk),
    ] {
        let token = oracle::encode(&oracle::Header::new(algorithm), &claims, &signing).unwrap();
        let key = Jwk::parse(jwk.to_string().as_bytes()).unwrap().verification_key().unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.verify(&key), Ok(()), "{algorithm:?}");
        assert_eq!(jws.unverified_payload(), claims.to_string().as_bytes());
    }
}
