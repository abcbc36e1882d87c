// SPDX-License-Identifier: Apache-2.0
//! The examples of RFC 7515, 7517, 7520 and 8037: those of our algorithms verify, the others are refused.

use serde::Deserialize;
use serde_json::Value;

use super::compact;
use crate::{CompactJws, Jwk, JwkSet, base64url};

#[derive(Deserialize)]
struct Examples {
    signatures: Vec<Signature>,
    sets: Vec<Set>,
}

#[derive(Deserialize)]
struct Signature {
    name: String,
    key: Option<Value>,
    token: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    set: Value,
    usable: Vec<String>,
    skipped: Vec<String>,
}

fn examples() -> Examples {
    serde_json::from_str(include_str!("rfc.json")).unwrap()
}

fn verify(token: &str, key: Option<&Value>) -> Result<(), String> {
    let jws = CompactJws::parse(token).map_err(|error| error.to_string())?;
    let key = key.expect("a key for an algorithm that exists here");
    let key = Jwk::parse(key.to_string().as_bytes()).unwrap().verification_key().unwrap();
    jws.verify(&key).map_err(|error| error.to_string())
}

#[test]
fn signatures_verify_or_are_refused() {
    for Signature { name, key, token, refused } in examples().signatures {
        assert_eq!(verify(&token, key.as_ref()), refused.map_or(Ok(()), Err), "{name}");
    }
}

#[test]
fn signatures_over_anything_else_are_refused() {
    for Signature { name, key, token, .. } in examples().signatures.into_iter().filter(|it| it.refused.is_none()) {
        let parts: Vec<Vec<u8>> = token.split('.').map(|part| base64url::decode(part).unwrap()).collect();
        let header = String::from_utf8(parts[0].clone()).unwrap();
        for byte in 0..parts[1].len() {
            let mut payload = parts[1].clone();
            payload[byte] ^= 0x10;
            assert!(verify(&compact(&header, &payload, &parts[2]), key.as_ref()).is_err(), "{name}, byte {byte}");
        }
        assert!(verify(&compact(&format!("{header} "), &parts[1], &parts[2]), key.as_ref()).is_err(), "{name}");
    }
}

#[test]
fn sets_keep_what_can_check_signatures() {
    for Set { name, set, usable, skipped } in examples().sets {
        let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
        let kids: Vec<_> = set.keys().iter().map(|key| key.kid().unwrap().to_string()).collect();
        let reasons: Vec<_> = set.skipped().iter().map(|key| key.reason.to_string()).collect();
        assert_eq!((kids, reasons), (usable, skipped), "{name}");
        assert_eq!(JwkSet::parse(set.to_json().as_bytes()).unwrap().keys(), set.keys(), "{name}");
    }
}
