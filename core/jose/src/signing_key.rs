// SPDX-License-Identifier: Apache-2.0
//! A private key that signs tokens.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use cress_domain::limits::TOKEN_BYTES_MAX;
use cress_domain::{KeyId, Secret};

use crate::key_material::{Curve, KeyMaterial};
use crate::{Jwk, base64url};

/// An ES256 key pair with its id. The pair is parsed once, the header of its tokens is encoded once.
///
/// Keys and the nonces of signatures are made with the generator of aws-lc, which is seeded by the operating system:
/// a nonce that anyone could predict or repeat would give the key away, so this randomness is no parameter.
pub struct SigningKey {
    kid: KeyId,
    pair: EcdsaKeyPair,
    /// `base64url(header).`
    encoded_header: String,
}

/// A signature that was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The token would be longer than anyone here accepts.
    #[error("expected a token of at most {TOKEN_BYTES_MAX} characters, it would have {0}")]
    TooLong(usize),
    /// The cryptographic library failed, which it does only when memory is exhausted.
    #[error("the signature could not be made")]
    Failed,
}

/// A key pair that cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The generator failed.
    #[error("the key pair could not be made")]
    Generate,
    /// Not an unencrypted PKCS #8 document with a P-256 key pair.
    #[error("expected a P-256 private key as unencrypted PKCS #8, got something else")]
    Malformed,
    /// The pair could not be written.
    #[error("the key pair could not be written as PKCS #8")]
    Serialize,
}

const SIGNATURE_BYTES: usize = 64;
const HEADER_START: &str = r#"{"alg":"ES256","kid":""#;
const HEADER_END: &str = r#"","typ":"JWT"}"#;

impl SigningKey {
    /// Makes a fresh key pair.
    ///
    /// # Errors
    /// [`SigningKeyError::Generate`].
    pub fn generate(kid: KeyId) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| SigningKeyError::Generate)?;
        Ok(Self::new(kid, pair))
    }

    /// Reads a key pair from unencrypted PKCS #8 (DER, RFC 5208).
    ///
    /// # Errors
    /// [`SigningKeyError::Malformed`].
    pub fn from_pkcs8(kid: KeyId, pkcs8: &Secret<Vec<u8>>) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose())
            .map_err(|_| SigningKeyError::Malformed)?;
        Ok(Self::new(kid, pair))
    }

    fn new(kid: KeyId, pair: EcdsaKeyPair) -> Self {
        // A key id has neither quotes nor backslashes, so nothing needs to be escaped.
        let mut encoded_header = base64url::encode(format!("{HEADER_START}{kid}{HEADER_END}").as_bytes());
        encoded_header.push('.');
        Self { kid, pair, encoded_header }
    }

    /// The key pair as unencrypted PKCS #8 (DER), to be put into an envelope at once.
    ///
    /// # Errors
    /// [`SigningKeyError::Serialize`].
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, SigningKeyError> {
        let document = self.pair.to_pkcs8v1().map_err(|_| SigningKeyError::Serialize)?;
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    /// The id of the key.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The public half.
    #[must_use]
    pub fn public_jwk(&self) -> Jwk {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
        Jwk::new(self.kid.clone(), KeyMaterial::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec() })
    }

    /// Signs a payload: a compact token with the header `{"alg":"ES256","kid":"...","typ":"JWT"}`.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, payload: &[u8]) -> Result<String, SignError> {
        let mut token = String::with_capacity(self.token_length(payload));
        self.sign_into(payload, &mut token)?;
        Ok(token)
    }

    /// As [`Self::sign`], appended to `token`, which stays as it was if signing fails.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_into(&self, payload: &[u8], token: &mut String) -> Result<(), SignError> {
        let length = self.token_length(payload);
        if length > TOKEN_BYTES_MAX {
            return Err(SignError::TooLong(length));
        }
        let start = token.len();
        token.push_str(&self.encoded_header);
        base64url::encode_into(payload, token);
        let signing_input = token.get(start..).unwrap_or_default();
        let Ok(signature) = self.pair.sign(&SystemRandom::new(), signing_input.as_bytes()) else {
            token.truncate(start);
            return Err(SignError::Failed);
        };
        token.push('.');
        base64url::encode_into(signature.as_ref(), token);
        Ok(())
    }

    fn token_length(&self, payload: &[u8]) -> usize {
        compact_length(self.kid.as_str().len(), payload.len())
    }
}

/// How many characters a token has that [`SigningKey::sign`] makes, from the lengths of key id and payload in bytes.
#[must_use]
pub const fn compact_length(kid_bytes: usize, payload_bytes: usize) -> usize {
    let header_bytes = HEADER_START.len() + kid_bytes + HEADER_END.len();
    let signature_length = base64url::encoded_length(SIGNATURE_BYTES);
    base64url::encoded_length(header_bytes) + 1 + base64url::encoded_length(payload_bytes) + 1 + signature_length
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}
