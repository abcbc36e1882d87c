// SPDX-License-Identifier: Apache-2.0
//! JSON Web Keys (RFC 7517), key sets, and compact JSON Web Signatures (RFC 7515) over aws-lc-rs: bytes in, bytes out.
//!
//! What this crate is strict about, so that its callers need not be:
//! - a key is parsed once and bound to one [`Algorithm`]; the header's `alg` never chooses how a signature is checked;
//! - `none`, every HMAC and every encryption algorithm do not exist here;
//! - base64url is canonical: no padding, no stray bits, no whitespace, so that the same bytes have one spelling;
//! - a header with a repeated member, with `crit`, or with a malformed `kid` is refused;
//! - keys and URLs that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are never looked at;
//! - every input has a named limit.
//!
//! It never reads a clock, a file, a socket or the environment. Claims are the business of `cress-token`.
//!
//! ```
//! use cress_jose::{CompactJws, JwkSet, SigningKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate("2025-03".parse()?)?;
//! let published = JwkSet::new(vec![key.public_jwk()])?.to_json();
//! let token = key.sign(br#"{"sub":"worker-1"}"#)?;
//!
//! // Elsewhere, with nothing but the published set:
//! let set = JwkSet::parse(published.as_bytes())?;
//! let jws = CompactJws::parse(&token)?;
//! let kid = jws.header().kid().ok_or("the token names no key")?;
//! let key = set.get(kid.as_str()).ok_or("the key is not in the set")?.verification_key()?;
//! jws.verify(&key)?;
//! assert_eq!(jws.unverified_payload(), br#"{"sub":"worker-1"}"#);
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod base64url;
mod header;
mod json;
mod jwk;
mod jwk_set;
mod jws;
mod key_material;
mod key_pair;
mod signing_key;
mod spki;
mod verification_key;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, UnsupportedAlgorithm};
pub use header::Header;
pub use json::{JsonError, parse_object};
pub use jwk::{Jwk, JwkError};
pub use jwk_set::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, JwkSet, JwksError, SkippedKey};
pub use jws::{CompactJws, JwsError, JwsParts, Part};
pub use key_pair::SigningAlgorithm;
pub use signing_key::{SignError, SigningKey, SigningKeyError, TokenType, compact_length};
pub use verification_key::{SignatureInvalid, VerificationKey};
