// SPDX-License-Identifier: Apache-2.0
//! One configuration at work: whose tokens are accepted, and what may be given to whom.

use std::sync::Arc;
use std::time::Duration;

use cress_provider::Ports as ProviderPorts;
use cress_verify::Verifier;

use crate::caller::{Callers, CallersParts};
use crate::config::{ConfigError, Loaded};
use crate::decision::{Catalog, Decisions, ProviderBuilder, Providers};
use crate::lease::Targets;
use crate::start::StartError;

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) loaded: Loaded,
    pub(crate) callers: Callers,
    pub(crate) decisions: Decisions,
}

impl Running {
    /// Builds what is written. What did not change since `before` goes on: keys that were fetched, and connections to targets.
    pub(crate) fn start(
        loaded: Loaded,
        before: Option<&Self>,
        callers: &CallersParts,
        build: &ProviderBuilder,
        ports: &ProviderPorts,
    ) -> Result<Self, StartError> {
        let none = Providers::default();
        let providers = before.map_or(&none, |before| before.decisions.catalog().providers());
        let decisions = Self::decide(&loaded, providers, build, ports)?;
        let verifier = before.filter(|before| before.has_same_issuers(&loaded)).map(Self::verifier);
        let callers = Callers::start(&loaded.config, verifier, callers)?;
        Ok(Self { loaded, callers, decisions })
    }

    /// What is given out, without looking at who asks.
    pub(crate) fn decide(
        loaded: &Loaded,
        before: &Providers,
        build: &ProviderBuilder,
        ports: &ProviderPorts,
    ) -> Result<Decisions, ConfigError> {
        let catalog = Catalog::build(&loaded.config, before, build, ports)?;
        Decisions::new(loaded, catalog)
    }

    pub(crate) fn realm(&self) -> &str {
        &self.loaded.config.realm
    }

    /// The targets, as the lease engine takes them.
    pub(crate) fn targets(&self) -> Targets {
        let catalog = self.decisions.catalog();
        let providers = catalog.providers().iter().map(|(name, provider)| (name.clone(), Arc::clone(provider)));
        let longest = catalog.iter().map(|offered| offered.lifetime_seconds_max).max().unwrap_or_default();
        Targets { providers: providers.collect(), longest_lease: Duration::from_secs(longest.into()) }
    }

    /// What an operator should know of a configuration that works.
    pub(crate) fn warnings(&self) -> Vec<String> {
        warnings(&self.loaded, &self.decisions)
    }

    fn verifier(&self) -> Verifier {
        self.callers.verifier().clone()
    }

    fn has_same_issuers(&self, loaded: &Loaded) -> bool {
        let (old, new) = (&self.loaded.config, &loaded.config);
        old.issuers == new.issuers && old.audience == new.audience && old.cached_tokens_max == new.cached_tokens_max
    }
}

/// What is allowed and yet worth a second look.
pub(crate) fn warnings(loaded: &Loaded, decisions: &Decisions) -> Vec<String> {
    let issuers = loaded.config.issuers.iter().filter(|(_, issuer)| issuer.accept_organization_audience);
    let organizations = issuers.map(|(name, _)| {
        format!(
            "issuers.{name}: tokens for a whole organization are accepted: each of its services that is shown one can use it here; have \
             workloads ask for tokens for this broker where their platform allows it"
        )
    });
    let policies = decisions.policies().warnings().iter().map(|warning| format!("policies.files: {warning}"));
    organizations.chain(policies).collect()
}
