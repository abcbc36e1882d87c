// SPDX-License-Identifier: Apache-2.0
//! The providers and credentials of a configuration, built before anyone asks. No connection is opened here.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use cress_domain::{CredentialName, ProviderName};
use cress_provider::{Ports, Provider, Settings, SettingsError};

use super::Offered;
use crate::config::{Config, ConfigError, CredentialConfig, ProviderConfig, Shared};
use crate::lease::{Caps, Offer, Sharing};

/// Makes a provider of a kind, from the settings that only it understands; none if there is no such kind.
pub type ProviderBuilder =
    Arc<dyn Fn(&str, &Settings, &Ports) -> Option<Result<Arc<dyn Provider>, SettingsError>> + Send + Sync>;

/// The providers at work. One whose settings did not change is kept, with its connections.
#[derive(Clone, Default)]
pub(crate) struct Providers(BTreeMap<ProviderName, (ProviderConfig, Arc<dyn Provider>)>);

/// Everything that is given out.
pub(crate) struct Catalog {
    credentials: HashMap<CredentialName, Arc<Offered>>,
    providers: Providers,
}

impl Providers {
    /// Those of this configuration.
    fn build(&self, config: &Config, build: &ProviderBuilder, ports: &Ports) -> Result<Self, ConfigError> {
        let mut providers = BTreeMap::new();
        for (name, written) in &config.providers {
            let provider = match self.0.get(name) {
                Some((before, provider)) if before == written => Arc::clone(provider),
                _ => build_one(name, written, build, ports)?,
            };
            providers.insert(name.clone(), (written.clone(), provider));
        }
        Ok(Self(providers))
    }

    /// By name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProviderName, &Arc<dyn Provider>)> {
        self.0.iter().map(|(name, (_, provider))| (name, provider))
    }

    fn get(&self, name: &ProviderName) -> Option<&Arc<dyn Provider>> {
        self.0.get(name).map(|(_, provider)| provider)
    }
}

impl Catalog {
    /// Reads what is written. Providers that were there before and did not change are kept.
    pub(crate) fn build(
        config: &Config,
        before: &Providers,
        build: &ProviderBuilder,
        ports: &Ports,
    ) -> Result<Self, ConfigError> {
        let providers = before.build(config, build, ports)?;
        let mut credentials = HashMap::new();
        for (index, (name, written)) in config.credentials.iter().enumerate() {
            let offered = offered(index, name, written, &providers)?;
            credentials.insert(name.clone(), Arc::new(offered));
        }
        Ok(Self { credentials, providers })
    }

    pub(crate) fn get(&self, name: &CredentialName) -> Option<&Arc<Offered>> {
        self.credentials.get(name)
    }

    /// In no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Offered> {
        self.credentials.values().map(AsRef::as_ref)
    }

    pub(crate) const fn providers(&self) -> &Providers {
        &self.providers
    }
}

fn build_one(
    name: &ProviderName,
    written: &ProviderConfig,
    build: &ProviderBuilder,
    ports: &Ports,
) -> Result<Arc<dyn Provider>, ConfigError> {
    let wrong = |key: &str, reason: String| ConfigError::Value { key: format!("providers.{name}{key}"), reason };
    let settings = Settings::new(written.settings.clone());
    match build(&written.kind, &settings, ports) {
        Some(built) => built.map_err(|error| wrong("", error.to_string())),
        None => Err(wrong(".type", format!("expected a kind of provider, got {:?}", written.kind))),
    }
}

fn offered(
    index: usize,
    name: &CredentialName,
    written: &CredentialConfig,
    providers: &Providers,
) -> Result<Offered, ConfigError> {
    let wrong = |key: &str, reason: String| ConfigError::Value { key: format!("credentials.{name}{key}"), reason };
    let provider = providers.get(&written.provider);
    let provider = provider.ok_or_else(|| wrong(".provider", "expected the name of one of `providers`".to_owned()))?;
    let credential = provider.credential(&Settings::new(written.settings.clone()));
    let credential = credential.map_err(|error| wrong("", error.to_string()))?;
    let offer = Offer {
        name: name.clone(),
        provider: written.provider.clone(),
        capability: provider.capability(),
        target: Arc::clone(provider),
        credential,
        caps: Caps { per_owner: written.active_per_instance_max, per_group: written.active_per_group_max },
        sharing: match written.shared {
            Some(Shared::Group) => Sharing::Group,
            None => Sharing::Own,
        },
    };
    Ok(Offered {
        index,
        offer: Arc::new(offer),
        kind: provider.kind(),
        ttl_seconds_default: written.ttl_seconds_default(),
        ttl_seconds_max: written.ttl_seconds_max,
        lifetime_seconds_max: written.lifetime_seconds_max(),
        parameters: written.parameters.clone(),
        oauth_field: written.oauth_field(provider.kind()).map(str::to_owned),
    })
}

impl fmt::Debug for Providers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Catalog").field("providers", &self.providers).finish_non_exhaustive()
    }
}
