// SPDX-License-Identifier: Apache-2.0
//! Tests of the whole crate: the examples of the RFCs, the Wycheproof vectors, another implementation as the oracle,
//! and one case for each way to break a rule.

mod keys;
mod oracle;
mod rfc;
mod rs256;
mod spki;
mod tokens;
mod wycheproof;

use crate::{SigningKey, base64url};

/// A compact token of these parts, however wrong they are.
fn compact(header: &str, payload: &[u8], signature: &[u8]) -> String {
    [header.as_bytes(), payload, signature].map(base64url::encode).join(".")
}

fn signing_key() -> SigningKey {
    SigningKey::generate("test-1".parse().unwrap()).unwrap()
}
