// SPDX-License-Identifier: Apache-2.0
//! Whatever is published as a key or a key set: it is taken or refused, and what is taken is written back as the same.
#![no_main]

use cress_jose::{JWKS_KEYS_MAX, Jwk, JwkSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(jwk) = Jwk::parse(data) {
        let _ = jwk.verification_key();
        let written = serde_json::to_vec(&jwk).expect("a key that was read can be written");
        assert_eq!(Jwk::parse(&written).expect("a key that was written can be read"), jwk);
    }
    if let Ok(set) = JwkSet::parse(data) {
        assert!(set.keys().len() <= JWKS_KEYS_MAX);
        let written = set.to_json();
        let again = JwkSet::parse(written.as_bytes()).expect("a set that was written can be read");
        assert_eq!(again.keys(), set.keys());
    }
});
