// SPDX-License-Identifier: Apache-2.0
//! The provider and its credentials.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, Timestamp};
use cress_provider::{
    Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Provider, ProviderError,
    ProviderErrorKind, Renewal, Revocation, SecretVersion, Settings, SettingsError, StoredSecrets,
};

use crate::config::{CredentialConfig, VERSION_FIELD};
use crate::{KIND, error, wire};

/// Gives out what is in the broker's store.
pub(crate) struct StaticProvider {
    stored: Arc<dyn StoredSecrets>,
}

/// One stored secret, or some of its parts.
struct StaticCredential {
    config: CredentialConfig,
    stored: Arc<dyn StoredSecrets>,
}

impl StaticProvider {
    pub(crate) fn new(stored: Arc<dyn StoredSecrets>) -> Self {
        Self { stored }
    }
}

#[async_trait]
impl Provider for StaticProvider {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::ByGroup, renewal: Renewal::Extends, footprint: Footprint::Nothing }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        let config = CredentialConfig::read(settings)?;
        Ok(Arc::new(StaticCredential { config, stored: Arc::clone(&self.stored) }))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }

    async fn extend(&self, _account: &AccountName, _expires_at: Timestamp) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn revoke(&self, _account: &AccountName) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn accounts(&self, _deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Credential for StaticCredential {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        if let Some(name) = grant.parameters.keys().next() {
            return Err(error::parameter(name));
        }
        let version = wire::current(self.stored.as_ref(), &self.config.secret, Operation::Issue).await?;
        self.chosen(&version, Operation::Issue)
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        let current = wire::current(self.stored.as_ref(), &self.config.secret, Operation::Check).await;
        let chosen = current.and_then(|version| self.chosen(&version, Operation::Check).map(|_| version.version));
        Ok(vec![match chosen {
            Ok(version) => {
                Finding::Good(format!("version {version} of the secret {} is given out", self.config.secret))
            }
            Err(error) if error.kind() == ProviderErrorKind::Refused => Finding::Bad(error.to_string()),
            Err(error) => return Err(error),
        }])
    }
}

impl StaticCredential {
    /// The parts that are given out, and the version's number, by which a workload notices a new one.
    fn chosen(&self, version: &SecretVersion, operation: Operation) -> Result<Issued, ProviderError> {
        let mut issued = Issued::new([(VERSION_FIELD, FieldValue::Number(version.version))]);
        let named = self.config.fields.as_ref();
        let all = || version.fields.keys().cloned().collect();
        for name in named.cloned().unwrap_or_else(all) {
            let value = version.fields.get(&name);
            let value = value.ok_or_else(|| error::no_field(&self.config.secret, version.version, &name, operation))?;
            issued.fields.insert(name, FieldValue::Secret(value.clone()));
        }
        Ok(issued)
    }
}

impl fmt::Debug for StaticProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticProvider")
    }
}

impl fmt::Debug for StaticCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StaticCredential").field("config", &self.config).finish()
    }
}
