// SPDX-License-Identifier: Apache-2.0
//! What a caller may have, and for how long. Only a credential that is configured and a policy that permits lead to a permit; whatever
//! goes wrong on the way is a denial with a reason. What is given out is decided here and nowhere later.

mod catalog;
mod denial;
mod offered;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cress_api::broker::IssueRequest;
use cress_domain::{CredentialName, Timestamp};
use cress_policy::{Decision, Policies, Request, What};

use crate::caller::Caller;
use crate::config::{ConfigError, Loaded};
use crate::lease::Owner;

pub use catalog::ProviderBuilder;
pub(crate) use catalog::{Catalog, Providers};
pub(crate) use denial::Denial;
pub(crate) use offered::Offered;

/// Longest value of a parameter, in bytes.
const PARAMETER_BYTES_MAX: usize = 1_024;

/// What is given out, and the policies that say to whom.
#[derive(Debug)]
pub(crate) struct Decisions {
    catalog: Catalog,
    policies: Policies,
}

/// Where and when something is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) time: Timestamp,
    /// If it is known.
    pub(crate) source_address: Option<IpAddr>,
}

/// What was decided in someone's favour.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) offered: Arc<Offered>,
    pub(crate) owner: Owner,
    pub(crate) ttl_seconds: u32,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) decision: Arc<Decision>,
}

impl Decisions {
    pub(crate) fn new(loaded: &Loaded, catalog: Catalog) -> Result<Self, ConfigError> {
        Ok(Self { catalog, policies: loaded.parse()? })
    }

    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Whether the caller may have this, and for how long.
    pub(crate) fn decide(
        &self,
        caller: &Caller,
        name: &CredentialName,
        asked: IssueRequest,
        moment: Moment,
    ) -> Result<Permit, Denial> {
        let offered = self.catalog.get(name).ok_or_else(Denial::not_permitted)?;
        let ttl_seconds = offered.ttl_seconds(asked.ttl_seconds)?;
        check_parameters(offered, &asked.parameters)?;
        let decision = self.evaluate(caller, offered, (ttl_seconds, &asked.parameters), moment);
        if !decision.is_permitted() {
            return Err(Denial::by_policy(&decision));
        }
        let owner = if offered.is_shared() {
            caller.group.clone().ok_or_else(Denial::without_group)?
        } else {
            caller.owner.clone()
        };
        Ok(Permit { offered: Arc::clone(offered), owner, ttl_seconds, parameters: asked.parameters, decision })
    }

    /// Everything that the caller may have, asked for without anything.
    pub(crate) fn offers<'a>(&'a self, caller: &'a Caller, moment: Moment) -> impl Iterator<Item = &'a Offered> {
        let none = BTreeMap::new();
        self.catalog.iter().filter(move |offered| {
            let asked = (offered.ttl_seconds_default, &none);
            (!offered.is_shared() || caller.group.is_some())
                && self.evaluate(caller, offered, asked, moment).is_permitted()
        })
    }

    fn evaluate(
        &self,
        caller: &Caller,
        offered: &Offered,
        (ttl_seconds, parameters): (u32, &BTreeMap<String, String>),
        moment: Moment,
    ) -> Arc<Decision> {
        let is_usual = parameters.is_empty() && ttl_seconds == offered.ttl_seconds_default;
        let may_remember = is_usual && !self.policies.looks_at_moment();
        if may_remember && let Some(decision) = caller.decided(offered.index) {
            return decision;
        }
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let what = What::Issue { credential: offered.offer.name.as_str(), ttl_seconds, parameters: &parameters };
        let request = Request { what, time: moment.time, source_address: moment.source_address };
        let decision = Arc::new(self.policies.decide(&caller.claims, &request));
        if may_remember {
            caller.remember(offered.index, &decision);
        }
        decision
    }
}

/// Names that the credential allows, and values without control characters, which no target takes for a part of a word.
fn check_parameters(offered: &Offered, parameters: &BTreeMap<String, String>) -> Result<(), Denial> {
    for (name, value) in parameters {
        if !offered.parameters.contains(name) {
            return Err(Denial::parameter(name, "this credential takes no parameter of this name"));
        }
        if value.len() > PARAMETER_BYTES_MAX || value.chars().any(char::is_control) {
            return Err(Denial::parameter(name, "expected at most 1024 bytes without control characters"));
        }
    }
    Ok(())
}
