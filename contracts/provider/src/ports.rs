// SPDX-License-Identifier: Apache-2.0
//! What a provider may ask of the broker. The broker implements these; a provider never reads a file, the environment, the clock or
//! the store by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{Clock, Random, Secret};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Everything that a provider may ask of the broker.
#[derive(Clone)]
pub struct Ports {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where passwords come from.
    pub random: Arc<dyn Random>,
    /// Root secrets, by reference.
    pub secrets: Arc<dyn SecretReader>,
    /// Assertions signed by the broker's own key rings.
    pub signer: Arc<dyn AssertionSigner>,
    /// Secrets that the operator put into the broker's store.
    pub stored: Arc<dyn StoredSecrets>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ports(..)")
    }
}

/// Where a root secret is: `env:<variable>`, `file:<path>` or `credential:<name>`. Never the secret itself, and checked for that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretReference(String);

/// A text that refers to no secret. It is not repeated: it may be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected where the secret is, file:<path>, env:<variable> or credential:<name>, and not the secret itself")]
pub struct SecretReferenceError;

impl SecretReference {
    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretReference {
    type Error = SecretReferenceError;
    fn try_from(text: String) -> Result<Self, SecretReferenceError> {
        let known = ["env:", "file:", "credential:"];
        let named = known.iter().any(|kind| text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty()));
        if named { Ok(Self(text)) } else { Err(SecretReferenceError) }
    }
}

impl FromStr for SecretReference {
    type Err = SecretReferenceError;
    fn from_str(text: &str) -> Result<Self, SecretReferenceError> {
        Self::try_from(text.to_owned())
    }
}

/// Reads root secrets, each time anew, so that they can be changed while the broker runs.
pub trait SecretReader: Send + Sync {
    /// The secret. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`SecretError`] names the reference.
    fn read(&self, reference: &SecretReference) -> Result<Secret<String>, SecretError>;
}

/// A secret that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

/// Signs assertions with the broker's own key rings.
pub trait AssertionSigner: Send + Sync {
    /// The broker's own issuer: what `iss` has to be.
    fn issuer(&self) -> &str;

    /// A signed JWT of these claims, in compact form, by the key that signs now.
    ///
    /// # Errors
    /// [`AssertionError`]
    fn sign(
        &self,
        algorithm: SigningAlgorithm,
        token_type: TokenType,
        claims: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError>;
}

/// What kind of token it is: the header's `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// `JWT`: an assertion about who someone is.
    Jwt,
    /// `at+jwt` (RFC 9068 section 2.1): an access token.
    AccessToken,
}

/// The algorithms that the broker has key rings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256, which Azure asks for.
    #[serde(rename = "RS256")]
    Rs256,
}

/// An assertion that was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AssertionError(pub String);

/// Secrets that the operator put into the broker's store, in versions, under envelope encryption.
#[async_trait]
pub trait StoredSecrets: Send + Sync {
    /// The version that is given out now; none if there is no such secret, or none of its versions is good.
    ///
    /// # Errors
    /// [`SecretError`]: the store or its key-encryption key cannot be read.
    async fn current(&self, name: &str) -> Result<Option<SecretVersion>, SecretError>;
}

/// One version of a stored secret.
#[derive(Debug, Clone)]
pub struct SecretVersion {
    /// Counts from 1.
    pub version: u32,
    /// Its parts, by name.
    pub fields: BTreeMap<String, Secret<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_place_of_its_reference_is_refused_and_not_repeated() {
        for good in ["env:REDIS_PASSWORD", "file:/run/secrets/redis", "credential:redis"] {
            assert_eq!(good.parse::<SecretReference>().unwrap().as_str(), good);
        }
        for bad in ["hunter2", "", "env:", "file:", "vault:x", "https://user:hunter2@host"] {
            let error = bad.parse::<SecretReference>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
