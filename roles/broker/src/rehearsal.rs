// SPDX-License-Identifier: Apache-2.0
//! A configuration is tried without a store, a key or a socket of the broker's own: for `cress config check`, which may also ask the targets.

use std::sync::Arc;

use cress_domain::{Clock, Random};
use cress_provider::{Finding, Ports as ProviderPorts, ProviderError};

use crate::broker::{Running, warnings};
use crate::config::{Config, ConfigError, Loaded};
use crate::decision::{Decisions, ProviderBuilder, Providers};
use crate::start::{NothingStored, RootSecrets, Unsigned};

/// A configuration that could be started with.
#[derive(Debug)]
pub struct Rehearsal {
    loaded: Loaded,
    decisions: Decisions,
}

/// What one target, or one credential of it, has to say.
#[derive(Debug)]
pub struct Connected {
    /// The key of the configuration that it is about.
    pub key: String,
    /// What was found, or why nothing could be.
    pub findings: Result<Vec<Finding>, ProviderError>,
}

impl Rehearsal {
    /// Checks a configuration as a whole: what it says, its policies, and what only providers understand of it. Opens no connection.
    ///
    /// # Errors
    /// [`ConfigError`], the first that is found.
    pub fn new(
        config: Config,
        build: &ProviderBuilder,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        config.check_own()?;
        let issuer = config.own_issuer(config.listen)?.as_str().to_owned();
        let ports = ProviderPorts {
            clock,
            random,
            secrets: Arc::new(RootSecrets),
            signer: Arc::new(Unsigned(issuer)),
            stored: Arc::new(NothingStored),
        };
        let loaded = Loaded::read(config)?;
        let decisions = Running::decide(&loaded, &Providers::default(), build, &ports)?;
        Ok(Self { loaded, decisions })
    }

    /// What is allowed and yet worth a second look.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warnings(&self.loaded, &self.decisions)
    }

    /// Asks each target whether it answers and gives the rights that are needed, and whether it is fit for each credential.
    pub async fn connect(&self) -> Vec<Connected> {
        let mut connected = Vec::new();
        for (name, provider) in self.decisions.catalog().providers().iter() {
            let findings = if is_own(provider.kind()) { own() } else { provider.check().await };
            connected.push(Connected { key: format!("providers.{name}"), findings });
        }
        let mut credentials: Vec<_> = self.decisions.catalog().iter().map(|offered| &offered.offer).collect();
        credentials.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        for offer in credentials {
            let findings = if is_own(offer.target.kind()) { own() } else { offer.credential.check().await };
            connected.push(Connected { key: format!("credentials.{}", offer.name), findings });
        }
        connected
    }
}

/// Kinds that ask nothing but the broker's own keys and store, which are not opened here.
const OWN: [&str; 2] = ["jwt", "static"];

fn is_own(kind: &str) -> bool {
    OWN.contains(&kind)
}

fn own() -> Result<Vec<Finding>, ProviderError> {
    Ok(vec![Finding::Good(
        "made by the broker itself, out of its own keys and store, which are not looked at here".to_owned(),
    )])
}
