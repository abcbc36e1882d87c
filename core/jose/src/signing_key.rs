// SPDX-License-Identifier: Apache-2.0
//! A private key that signs tokens.

use std::fmt;

use cress_domain::limits::TOKEN_BYTES_MAX;
use cress_domain::{KeyId, Secret};

use crate::key_material::KeyMaterial;
use crate::key_pair::{KeyPair, SigningAlgorithm};
use crate::{Jwk, base64url};

/// A key pair with its id. The pair is parsed once, the headers of its tokens are encoded once.
///
/// Keys and the nonces of signatures are made with the generator of aws-lc, which is seeded by the operating system:
/// a nonce that anyone could predict or repeat would give the key away, so this randomness is no parameter.
pub struct SigningKey {
    kid: KeyId,
    pair: KeyPair,
    public: KeyMaterial,
    /// `base64url(header).`
    encoded_header: String,
    /// The same of access tokens.
    encoded_access_token_header: String,
}

/// What kind of token it is: the header's `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// `JWT` (RFC 7519 section 5.1).
    Jwt,
    /// `at+jwt` (RFC 9068 section 2.1), which no receiver takes for anything but an access token.
    AccessToken,
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
    /// Not an unencrypted PKCS #8 document with an RSA key pair.
    #[error("expected an RSA private key of at least 2048 bits as unencrypted PKCS #8, got something else")]
    MalformedRsa,
    /// The pair could not be written.
    #[error("the key pair could not be written as PKCS #8")]
    Serialize,
}

const ES256_SIGNATURE_BYTES: usize = 64;
const HEADER_START: &str = r#"{"alg":"ES256","kid":""#;
const HEADER_END: &str = r#"","typ":"JWT"}"#;

impl SigningKey {
    /// Makes a fresh ES256 key pair.
    ///
    /// # Errors
    /// [`SigningKeyError::Generate`].
    pub fn generate(kid: KeyId) -> Result<Self, SigningKeyError> {
        Self::generate_with(kid, SigningAlgorithm::Es256)
    }

    /// Makes a fresh key pair of this algorithm.
    ///
    /// # Errors
    /// [`SigningKeyError::Generate`].
    pub fn generate_with(kid: KeyId, algorithm: SigningAlgorithm) -> Result<Self, SigningKeyError> {
        Self::new(kid, KeyPair::generate(algorithm)?)
    }

    /// Reads an ES256 key pair from unencrypted PKCS #8 (DER, RFC 5208).
    ///
    /// # Errors
    /// [`SigningKeyError::Malformed`].
    pub fn from_pkcs8(kid: KeyId, pkcs8: &Secret<Vec<u8>>) -> Result<Self, SigningKeyError> {
        Self::from_pkcs8_with(kid, SigningAlgorithm::Es256, pkcs8)
    }

    /// Reads a key pair of this algorithm from unencrypted PKCS #8 (DER, RFC 5208).
    ///
    /// # Errors
    /// [`SigningKeyError::Malformed`], [`SigningKeyError::MalformedRsa`].
    pub fn from_pkcs8_with(
        kid: KeyId,
        algorithm: SigningAlgorithm,
        pkcs8: &Secret<Vec<u8>>,
    ) -> Result<Self, SigningKeyError> {
        Self::new(kid, KeyPair::from_pkcs8(algorithm, pkcs8)?)
    }

    fn new(kid: KeyId, pair: KeyPair) -> Result<Self, SigningKeyError> {
        let header = |token_type: TokenType| {
            let (algorithm, token_type) = (pair.algorithm().algorithm(), token_type.as_str());
            // A key id has neither quotes nor backslashes, so nothing needs to be escaped.
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":"{token_type}"}}"#);
            format!("{}.", base64url::encode(header.as_bytes()))
        };
        let (encoded_header, encoded_access_token_header) = (header(TokenType::Jwt), header(TokenType::AccessToken));
        let public = pair.public().ok_or(SigningKeyError::Generate)?;
        Ok(Self { kid, pair, public, encoded_header, encoded_access_token_header })
    }

    /// The key pair as unencrypted PKCS #8 (DER), to be put into an envelope at once.
    ///
    /// # Errors
    /// [`SigningKeyError::Serialize`].
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, SigningKeyError> {
        self.pair.to_pkcs8()
    }

    /// The id of the key.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> SigningAlgorithm {
        self.pair.algorithm()
    }

    /// The public half. An RSA key says its algorithm, since RSA keys are for several.
    #[must_use]
    pub fn public_jwk(&self) -> Jwk {
        let algorithm = match self.algorithm() {
            SigningAlgorithm::Es256 => None,
            SigningAlgorithm::Rs256 => Some(self.algorithm().algorithm()),
        };
        Jwk::new(self.kid.clone(), algorithm, self.public.clone())
    }

    /// Signs a payload: a compact token with the header `{"alg":"ES256","kid":"...","typ":"JWT"}`, or with its algorithm.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, payload: &[u8]) -> Result<String, SignError> {
        self.sign_as(TokenType::Jwt, payload)
    }

    /// As [`Self::sign`], a token of this type.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_as(&self, token_type: TokenType, payload: &[u8]) -> Result<String, SignError> {
        let header = self.header(token_type);
        let mut token = String::with_capacity(self.token_length(header, payload));
        self.sign_with(header, payload, &mut token)?;
        Ok(token)
    }

    /// As [`Self::sign`], appended to `token`, which stays as it was if signing fails.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_into(&self, payload: &[u8], token: &mut String) -> Result<(), SignError> {
        self.sign_with(self.header(TokenType::Jwt), payload, token)
    }

    fn sign_with(&self, header: &str, payload: &[u8], token: &mut String) -> Result<(), SignError> {
        let length = self.token_length(header, payload);
        if length > TOKEN_BYTES_MAX {
            return Err(SignError::TooLong(length));
        }
        let start = token.len();
        token.push_str(header);
        base64url::encode_into(payload, token);
        let signing_input = token.get(start..).unwrap_or_default();
        let Some(signature) = self.pair.sign(signing_input.as_bytes()) else {
            token.truncate(start);
            return Err(SignError::Failed);
        };
        token.push('.');
        base64url::encode_into(&signature, token);
        Ok(())
    }

    fn header(&self, token_type: TokenType) -> &str {
        match token_type {
            TokenType::Jwt => &self.encoded_header,
            TokenType::AccessToken => &self.encoded_access_token_header,
        }
    }

    fn token_length(&self, header: &str, payload: &[u8]) -> usize {
        let signature_length = base64url::encoded_length(self.pair.signature_bytes());
        header.len() + base64url::encoded_length(payload.len()) + 1 + signature_length
    }
}

impl TokenType {
    /// The value of `typ`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
        }
    }
}

/// How many characters a token has that [`SigningKey::sign`] makes with an ES256 key, from the lengths of key id and payload in bytes.
#[must_use]
pub const fn compact_length(kid_bytes: usize, payload_bytes: usize) -> usize {
    let header_bytes = HEADER_START.len() + kid_bytes + HEADER_END.len();
    let signature_length = base64url::encoded_length(ES256_SIGNATURE_BYTES);
    base64url::encoded_length(header_bytes) + 1 + base64url::encoded_length(payload_bytes) + 1 + signature_length
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}
