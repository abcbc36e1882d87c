// SPDX-License-Identifier: Apache-2.0
//! What the broker gives to a provider, made up for tests of one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cress_domain::{Clock, Random, Secret};
use cress_provider::{
    AssertionError, AssertionSigner, Ports, SecretError, SecretReader, SecretReference, SecretVersion,
    SigningAlgorithm, StoredSecrets, TokenType,
};
use serde_json::{Map, Value};

/// Root secrets and stored secrets in memory, which a test may change at any time.
#[derive(Debug, Default)]
pub struct KnownSecrets {
    by_reference: Mutex<HashMap<String, String>>,
    stored: Mutex<Option<HashMap<String, SecretVersion>>>,
}

/// Signs nothing.
struct NoSigner;

/// Ports with these secrets and no signer. Replace what a test needs otherwise.
#[must_use]
pub fn provider_ports(clock: Arc<dyn Clock>, random: Arc<dyn Random>, secrets: &Arc<KnownSecrets>) -> Ports {
    let (reader, stored) = (Arc::clone(secrets), Arc::clone(secrets));
    Ports { clock, random, secrets: reader, signer: Arc::new(NoSigner), stored }
}

impl KnownSecrets {
    /// These root secrets, by reference, such as `env:PASSWORD`.
    #[must_use]
    pub fn new(by_reference: &[(&str, &str)]) -> Arc<Self> {
        let known = by_reference.iter().map(|(reference, secret)| ((*reference).to_owned(), (*secret).to_owned()));
        Arc::new(Self { by_reference: Mutex::new(known.collect()), stored: Mutex::new(Some(HashMap::new())) })
    }

    /// Changes a root secret, or takes it away.
    pub fn set(&self, reference: &str, secret: Option<&str>) {
        let mut known = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        match secret {
            Some(secret) => known.insert(reference.to_owned(), secret.to_owned()),
            None => known.remove(reference),
        };
    }

    /// The version of a stored secret that is given out from now on, or none.
    pub fn store(&self, name: &str, version: Option<(u32, &[(&str, &str)])>) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = stored.get_or_insert_default();
        let Some((version, fields)) = version else {
            stored.remove(name);
            return;
        };
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
        let fields: BTreeMap<_, _> = fields.iter().map(field).collect();
        stored.insert(name.to_owned(), SecretVersion { version, fields });
    }

    /// Forgets all stored secrets, as if the store were away, until the next one is put.
    pub fn lose_store(&self) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl SecretReader for KnownSecrets {
    fn read(&self, reference: &SecretReference) -> Result<Secret<String>, SecretError> {
        let known = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = known.get(reference.as_str()).cloned().map(Secret::new);
        secret.ok_or_else(|| SecretError(format!("{} is not set", reference.as_str())))
    }
}

#[async_trait]
impl StoredSecrets for KnownSecrets {
    async fn current(&self, name: &str) -> Result<Option<SecretVersion>, SecretError> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = stored.as_ref().ok_or_else(|| SecretError("the store is away".to_owned()))?;
        Ok(stored.get(name).cloned())
    }
}

impl AssertionSigner for NoSigner {
    fn issuer(&self) -> &str {
        "https://broker.example"
    }

    fn sign(
        &self,
        _algorithm: SigningAlgorithm,
        _token_type: TokenType,
        _claims: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError> {
        Err(AssertionError("this test has no signer".to_owned()))
    }
}
