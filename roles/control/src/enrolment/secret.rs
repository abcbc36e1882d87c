// SPDX-License-Identifier: Apache-2.0
//! The secret of a join token, as the store knows it.

use aws_lc_rs::digest::{SHA256, digest};
use cress_api::join_token::is_secret;
use cress_domain::Secret;
use cress_store::SecretHash;

/// SHA-256 of the secret's text: made where a join token is created, and again where one is shown. A look-up by it compares hashes, of
/// which nobody can choose a part, so its time tells nothing of the secret.
pub(crate) fn secret_hash(secret: &Secret<String>) -> SecretHash {
    let mut bytes = [0; 32];
    for (byte, hashed) in bytes.iter_mut().zip(digest(&SHA256, secret.expose().as_bytes()).as_ref()) {
        *byte = *hashed;
    }
    SecretHash::from_bytes(bytes)
}

/// Whether it can be a secret at all.
pub(super) fn is_well_formed(secret: &Secret<String>) -> bool {
    is_secret(secret.expose())
}
