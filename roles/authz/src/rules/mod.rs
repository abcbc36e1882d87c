// SPDX-License-Identifier: Apache-2.0
//! The rules as they are applied: which one fits a request, and whether a token's claims satisfy it. The first that fits
//! decides; where none fits, nothing passes.

mod claims;
mod fit;
mod headers;
mod identity_header;
mod value;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use cress_policy::{ClaimTypes, Policies};
use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use http::HeaderMap;

use crate::config::{Access, Config, ConfigError, Loaded, RuleConfig};
use crate::request::{Asked, AskedError};

pub(crate) use claims::{ClaimsRule, is_for};
use fit::Fit;
pub(crate) use headers::HeaderError;
use headers::HeaderPlan;
pub use identity_header::{IdentityHeaderError, check_identity_header};

/// Every rule, in order.
#[derive(Debug)]
pub(crate) struct RuleSet {
    rules: Vec<Arc<Rule>>,
    /// Every header of any rule, empty: what goes out where nobody's identity is known.
    anonymous: HeaderMap,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Its place in the order.
    pub(crate) index: usize,
    fit: Fit,
    pub(crate) admits: Admits,
    pub(crate) dry_run: bool,
    /// The counter of what it let pass, once it has.
    pub(crate) permitted: OnceLock<Counter>,
}

/// Whom a rule lets pass.
#[derive(Debug)]
pub(crate) enum Admits {
    Everyone,
    Nobody,
    Claims(Box<ClaimsRule>),
}

impl RuleSet {
    /// Checks and prepares what is written.
    pub(crate) fn compile(loaded: &Loaded) -> Result<Self, ConfigError> {
        let (config, types) = (&loaded.config, loaded.claim_types()?);
        let maps = config.rules.iter().filter_map(|rule| rule.headers.as_ref()).chain([&config.headers]);
        let every = headers::names(maps.flat_map(|map| map.keys()))?;
        let default = HeaderPlan::new(&config.headers, &every)?;
        let compile = |(index, written): (usize, &RuleConfig)| {
            let headers = match &written.headers {
                Some(map) => HeaderPlan::new(map, &every)?,
                None => default.clone(),
            };
            let policies = loaded.policies.get(index).and_then(Option::as_deref);
            let policies = policies.map(|text| parse_policies(written, text, &types)).transpose()?;
            Rule::compile(index, written, (headers, policies), config).map(Arc::new)
        };
        let rules = config.rules.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { rules, anonymous: headers::empty(&every) })
    }

    /// The rule that decides. None if none fits.
    pub(crate) fn find(&self, asked: &Asked<'_>) -> Result<Option<&Arc<Rule>>, AskedError> {
        for rule in &self.rules {
            if rule.fit.fits(asked)? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter()
    }

    /// The headers that go out with a request of nobody known.
    pub(crate) const fn anonymous(&self) -> &HeaderMap {
        &self.anonymous
    }
}

impl Rule {
    fn compile(
        index: usize,
        written: &RuleConfig,
        (headers, policies): (HeaderPlan, Option<Policies>),
        config: &Config,
    ) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Rule { name: written.name.clone(), reason };
        let fit = Fit::new(written).map_err(wrong)?;
        let admits = match written.access {
            Access::Claims => {
                let rule = ClaimsRule::new(written, headers, policies, &config.issuers).map_err(wrong)?;
                Admits::Claims(Box::new(rule))
            }
            access => {
                let says_more = !written.issuers.is_empty()
                    || !written.audiences.is_empty()
                    || !written.claims.is_empty()
                    || written.policy_file.is_some()
                    || written.headers.is_some();
                if says_more {
                    let reason =
                        "expected issuers, audiences, claims, policy_file and headers with access = \"claims\" only";
                    return Err(wrong(reason.to_owned()));
                }
                if access == Access::Public { Admits::Everyone } else { Admits::Nobody }
            }
        };
        let dry_run = config.dry_run || written.dry_run;
        Ok(Self { name: written.name.clone(), index, fit, admits, dry_run, permitted: OnceLock::new() })
    }
}

fn parse_policies(written: &RuleConfig, text: &str, types: &ClaimTypes) -> Result<Policies, ConfigError> {
    Policies::parse(text, types).map_err(|error| {
        let place = written.policy_file.as_ref().map_or_else(String::new, |file| file.display().to_string());
        ConfigError::Policy { place, reason: error.to_string() }
    })
}
