// SPDX-License-Identifier: Apache-2.0
//! `spki.json` has keys with their PEM as pyca/cryptography 50 wrote it; OpenSSL 3.0 reads it and writes the same.

use serde::Deserialize;
use serde_json::Value;

use crate::Jwk;

#[derive(Deserialize)]
struct Vector {
    jwk: Value,
    pem: String,
}

#[test]
fn public_keys_are_written_as_other_programs_write_them() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("spki.json")).unwrap();
    assert_eq!(vectors.len(), 6);
    for vector in vectors {
        let jwk = Jwk::parse(vector.jwk.to_string().as_bytes()).unwrap();
        assert_eq!(jwk.to_spki_pem(), vector.pem, "{}", vector.jwk);
    }
}

#[test]
fn another_implementation_takes_the_largest_key() {
    let mut n = vec![0xff; 1024];
    n[1023] = 0xfd;
    let jwk = serde_json::json!({"kty": "RSA", "n": crate::base64url::encode(&n), "e": "AQAB"});
    let jwk = Jwk::parse(jwk.to_string().as_bytes()).unwrap();
    jsonwebtoken::DecodingKey::from_rsa_pem(jwk.to_spki_pem().as_bytes()).unwrap();
    let der = jwk.to_spki_der();
    assert_eq!(&der[..4], [0x30, 0x82, 0x04, 0x22]);
    assert_eq!(der.len(), 4 + 0x422);
}
