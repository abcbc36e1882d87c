// SPDX-License-Identifier: Apache-2.0
//! What stands in for keys and stored secrets while none are opened: it refuses, and says so.

use async_trait::async_trait;
use cress_domain::Secret;
use cress_provider::{
    AssertionError, AssertionSigner, SecretError, SecretVersion, SigningAlgorithm, StoredSecrets, TokenType,
};
use serde_json::{Map, Value};

/// Knows the issuer and signs nothing.
#[derive(Debug)]
pub(crate) struct Unsigned(pub(crate) String);

impl AssertionSigner for Unsigned {
    fn issuer(&self) -> &str {
        &self.0
    }

    fn sign(
        &self,
        _: SigningAlgorithm,
        _: TokenType,
        _: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError> {
        Err(AssertionError("nothing is signed while a configuration is checked".to_owned()))
    }
}

/// The store is not looked at.
#[derive(Debug)]
pub(crate) struct NothingStored;

#[async_trait]
impl StoredSecrets for NothingStored {
    async fn current(&self, _: &str) -> Result<Option<SecretVersion>, SecretError> {
        Err(SecretError("the store is not looked at while a configuration is checked".to_owned()))
    }
}
