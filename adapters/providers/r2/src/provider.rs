// SPDX-License-Identifier: Apache-2.0
//! The provider and its credentials.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, Secret, Timestamp};
use cress_provider::{
    Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Provider, ProviderError, Renewal,
    Revocation, SecretReader, Settings, SettingsError,
};

use crate::config::{CredentialConfig, Parent, ProviderConfig};
use crate::paths::Reach;
use crate::permission::Permission;
use crate::wire::{Derived, LIFE_SECONDS_MAX, Terms, derive};
use crate::{KIND, error};

const PREFIX: &str = "prefix";
const OBJECT: &str = "object";
const PERMISSION: &str = "permission";

/// Buckets of one account.
pub(crate) struct R2Provider {
    config: Arc<ProviderConfig>,
    secrets: Arc<dyn SecretReader>,
}

/// One bucket, or some of it.
struct R2Credential {
    provider: Arc<ProviderConfig>,
    config: CredentialConfig,
    secrets: Arc<dyn SecretReader>,
}

impl R2Provider {
    pub(crate) fn new(config: ProviderConfig, secrets: Arc<dyn SecretReader>) -> Self {
        Self { config: Arc::new(config), secrets }
    }
}

#[async_trait]
impl Provider for R2Provider {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::ByGroup, renewal: Renewal::AskAgain, footprint: Footprint::Nothing }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        let config = CredentialConfig::read(settings, &self.config)?;
        let (provider, secrets) = (Arc::clone(&self.config), Arc::clone(&self.secrets));
        Ok(Arc::new(R2Credential { provider, config, secrets }))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        let finding = |(name, parent): (&cress_domain::Name, &Parent)| match secret(
            self.secrets.as_ref(),
            name,
            parent,
            Operation::Check,
        ) {
            Ok(_) => Finding::Good(format!("the secret access key of the parent {name} can be read")),
            Err(error) => Finding::Bad(error.to_string()),
        };
        let untried = "R2 itself was not asked: credentials are made without a call, so whether it knows the parents shows at their use";
        let findings = self.config.parents.iter().map(finding);
        Ok(findings.chain([Finding::Good(untried.to_owned())]).collect())
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
impl Credential for R2Credential {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        let (permission, reach) = (self.permission(grant)?, self.reach(grant)?);
        let issued_at = whole(grant.granted_at);
        let latest = Timestamp::from_unix_seconds(issued_at.unix_seconds().saturating_add(LIFE_SECONDS_MAX));
        let expires_at = whole(grant.expires_at).min(latest);
        if expires_at <= issued_at {
            return Err(error::too_short());
        }
        let (name, parent) = (&self.config.parent_name, &self.config.parent);
        let secret = secret(self.secrets.as_ref(), name, parent, Operation::Issue)?;
        let terms = Terms {
            account: &self.provider.account,
            audience: &self.provider.audience(),
            parent_access_key_id: &parent.access_key_id,
            bucket: &self.config.bucket,
            permission,
            reach: &reach,
            issued_at,
            expires_at,
        };
        let derived = derive(&terms, &secret).ok_or_else(error::unwritten)?;
        Ok(self.issued(derived, expires_at))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }
}

impl R2Credential {
    fn permission(&self, grant: &Grant) -> Result<Permission, ProviderError> {
        let known = |name: &&String| ![PREFIX, OBJECT, PERMISSION].contains(&name.as_str());
        if let Some(unknown) = grant.parameters.keys().find(known) {
            return Err(error::parameter(format!(
                "expected the parameters prefix, object and permission, got {unknown:?}"
            )));
        }
        let Some(asked) = grant.parameters.get(PERMISSION) else { return Ok(self.config.permission) };
        let asked: Option<Permission> = asked.parse().ok();
        asked.filter(|asked| self.config.permission.includes(*asked)).ok_or_else(|| {
            error::parameter(format!("expected a permission within {}", self.config.permission.as_str()))
        })
    }

    fn reach(&self, grant: &Grant) -> Result<Reach, ProviderError> {
        let filled = |templates: &[crate::paths::Template]| {
            templates.iter().map(|template| template.filled(&grant.subject)).collect::<Result<Vec<_>, _>>()
        };
        let reach = Reach { prefixes: filled(&self.config.prefixes)?, objects: filled(&self.config.objects)? };
        let asked = |name: &str| grant.parameters.get(name).map(String::as_str);
        reach.narrowed(asked(PREFIX), asked(OBJECT))
    }

    fn issued(&self, derived: Derived, expires_at: Timestamp) -> Issued {
        let text = |text: &str| FieldValue::Text(text.to_owned());
        let mut issued = Issued::new([
            ("access_key_id", text(&self.config.parent.access_key_id)),
            ("secret_access_key", FieldValue::Secret(derived.secret_access_key)),
            ("session_token", FieldValue::Secret(derived.session_token)),
            ("bucket", text(&self.config.bucket)),
            ("endpoint", text(&self.provider.endpoint())),
            ("region", text("auto")),
        ]);
        issued.expires_at = Some(expires_at);
        issued
    }
}

/// The parent's secret, as it is now.
fn secret(
    secrets: &dyn SecretReader,
    name: &cress_domain::Name,
    parent: &Parent,
    operation: Operation,
) -> Result<Secret<String>, ProviderError> {
    let read = secrets.read(&parent.secret_access_key);
    let secret = read.map_err(|cause| error::no_secret(name, operation, cause))?;
    let word = !secret.expose().is_empty() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if word { Ok(secret) } else { Err(error::bad_secret(name, operation)) }
}

/// Tokens count whole seconds: an earlier end is a shorter life, which is safe.
const fn whole(moment: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(moment.unix_seconds())
}

impl fmt::Debug for R2Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("R2Provider").field("config", &self.config).finish()
    }
}

impl fmt::Debug for R2Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("R2Credential").field("config", &self.config).finish()
    }
}
