// SPDX-License-Identifier: Apache-2.0
//! Forged and damaged tokens, each of which every verifier must refuse.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::TestIssuer;

/// Base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What such a text encodes, if it is one.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The three parts of a token, as they stand there.
///
/// # Panics
/// If there are not three.
#[must_use]
pub fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

/// The token with another header and the signature that it had.
#[must_use]
pub fn with_header(token: &str, header: &str) -> String {
    let [_, payload, signature] = parts(token);
    format!("{}.{payload}.{signature}", encode(header.as_bytes()))
}

/// The token with another payload and the signature that it had.
#[must_use]
pub fn with_payload(token: &str, payload: &[u8]) -> String {
    let [header, _, signature] = parts(token);
    format!("{header}.{}.{signature}", encode(payload))
}

/// The token with another signature.
#[must_use]
pub fn with_signature(token: &str, signature: &[u8]) -> String {
    let [header, payload, _] = parts(token);
    format!("{header}.{payload}.{}", encode(signature))
}

/// The token's header and payload with nothing after the second dot.
#[must_use]
pub fn without_signature(token: &str) -> String {
    with_signature(token, &[])
}

/// The token with `alg: none` and no signature (RFC 8725 section 2.1).
#[must_use]
pub fn alg_none(token: &str) -> String {
    without_signature(&with_header(token, r#"{"alg":"none","kid":"test-1","typ":"JWT"}"#))
}

/// The token signed with HS256, the public key as it is published being the secret (RFC 8725 section 2.1).
#[must_use]
pub fn hs256_with_public_key(token: &str, issuer: &TestIssuer) -> String {
    hs256(token, issuer.signing_key().kid().as_str(), issuer.jwks_json().as_bytes())
}

/// The token signed with HS256 and a secret that somebody may know.
#[must_use]
pub fn hs256(token: &str, kid: &str, secret: &[u8]) -> String {
    let forged = with_header(token, &format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT"}}"#));
    let [header, payload, _] = parts(&forged);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&secret, format!("{header}.{payload}").as_bytes());
    with_signature(&forged, signature.as_ref())
}

/// The token with the lowest bit of one signature byte turned, counted modulo the signature's length.
///
/// # Panics
/// If the signature is empty or not base64url.
#[must_use]
pub fn with_signature_bit_turned(token: &str, byte: usize) -> String {
    let [_, _, signature] = parts(token);
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let at = byte % signature.len();
    *signature.get_mut(at).expect("a byte") ^= 1;
    with_signature(token, &signature)
}

/// The token with a last character that decodes to the same bytes: bits are set that base64 does not use. Whoever
/// accepts it has two spellings of one token.
///
/// # Panics
/// If the signature's length leaves no bits unused.
#[must_use]
pub fn with_stray_bits(token: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = token.split_at(token.len() - 1);
    let [_, _, signature] = parts(token);
    assert!(signature.len() % 4 != 0, "a signature whose last character has unused bits");
    let at = ALPHABET.iter().position(|letter| last.as_bytes() == [*letter]).expect("a base64url character");
    let stray = ALPHABET.get(at | 1).copied().map(char::from).expect("a character");
    format!("{start}{stray}")
}
