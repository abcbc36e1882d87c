// SPDX-License-Identifier: Apache-2.0
//! A key that signs with RS256, as the issuers of clusters and forges do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cress_jose::JwkSet;
use serde_json::{Map, Value, json};

/// An RSA key of 2048 bits with an id.
#[derive(Debug)]
pub struct RsaKey {
    kid: String,
    pair: KeyPair,
}

impl RsaKey {
    /// A fresh key.
    ///
    /// # Panics
    /// If the cryptographic library fails.
    #[must_use]
    pub fn generate(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: KeyPair::generate(KeySize::Rsa2048).expect("an RSA key") }
    }

    /// The public half, as the forges and clusters publish it.
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "e": "AQAB",
            "n": URL_SAFE_NO_PAD.encode(self.modulus()),
        })
    }

    /// A set with this key alone.
    ///
    /// # Panics
    /// Never: the key is a good one.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        JwkSet::parse(json!({ "keys": [self.jwk()] }).to_string().as_bytes()).expect("a key set")
    }

    /// A token with these claims. Its header names the algorithm and the key, and nothing else unless it is given.
    ///
    /// # Panics
    /// If the cryptographic library fails.
    #[must_use]
    pub fn sign(&self, claims: &Map<String, Value>, header: &[(&str, &str)]) -> String {
        let mut members = Map::from_iter([("alg".to_owned(), json!("RS256")), ("kid".to_owned(), json!(self.kid))]);
        members.extend(header.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        let encode = |object: &Map<String, Value>| URL_SAFE_NO_PAD.encode(json!(object).to_string());
        let message = format!("{}.{}", encode(&members), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The modulus in an `RSAPublicKey` of 2048 bits (RFC 8017, A.1.1): two lengths of three bytes and a zero before it.
    fn modulus(&self) -> &[u8] {
        self.pair.public_key().as_ref().get(9..9 + 256).expect("a key of 2048 bits")
    }
}
