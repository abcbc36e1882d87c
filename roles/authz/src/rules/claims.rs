// SPDX-License-Identifier: Apache-2.0
//! Whether a verified token satisfies a rule, and which headers then go out.

use cress_domain::{Audience, Issuer};
use cress_policy::Policies;
use cress_token::ClaimRule;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::headers::{HeaderError, HeaderPlan};
use crate::config::{IssuerConfig, RuleConfig};

/// What a rule asks of a token beyond what its issuer's entry does.
#[derive(Debug)]
pub(crate) struct ClaimsRule {
    /// Empty: any.
    issuers: Vec<Issuer>,
    /// Empty: any that the issuer's entry admits.
    audiences: Vec<Audience>,
    claims: Vec<ClaimRule>,
    headers: HeaderPlan,
    policies: Option<Policies>,
}

impl ClaimsRule {
    pub(super) fn new(
        written: &RuleConfig,
        headers: HeaderPlan,
        policies: Option<Policies>,
        known: &[IssuerConfig],
    ) -> Result<Self, String> {
        let rule = |text: &String| text.parse::<ClaimRule>().map_err(|error| format!("claims: {text:?}: {error}"));
        let issuer = |name: &String| {
            let found = known.iter().find(|issuer| issuer.name == *name);
            found.ok_or_else(|| format!("issuers: expected the name of one of the issuers, got {name:?}"))
        };
        let issuers = written.issuers.iter().map(issuer).collect::<Result<Vec<_>, _>>()?;
        check_audiences(&written.audiences, if issuers.is_empty() { known.iter().collect() } else { issuers.clone() })?;
        Ok(Self {
            issuers: issuers
                .into_iter()
                .map(|issuer| issuer.issuer_name().map_err(|error| error.to_string()))
                .collect::<Result<_, _>>()?,
            audiences: written.audiences.clone(),
            claims: written.claims.iter().map(rule).collect::<Result<_, _>>()?,
            headers,
            policies,
        })
    }

    /// Whether these claims pass, but for the policies.
    pub(crate) fn admits(&self, claims: &Map<String, Value>) -> bool {
        let issuer = claims.get("iss").and_then(Value::as_str);
        let has_issuer = self.issuers.is_empty() || self.issuers.iter().any(|one| Some(one.as_str()) == issuer);
        let has_audience = self.audiences.is_empty() || self.audiences.iter().any(|one| is_for(claims, one));
        has_issuer && has_audience && self.claims.iter().all(|rule| rule.matches(claims))
    }

    /// The policies that must permit too.
    pub(crate) const fn policies(&self) -> Option<&Policies> {
        self.policies.as_ref()
    }

    /// The same as [`Self::admits`], with the first thing that is missing, for the operator.
    pub(crate) fn explain(&self, claims: &Map<String, Value>) -> Result<(), String> {
        if self.admits(claims) {
            return Ok(());
        }
        match self.claims.iter().find(|rule| !rule.matches(claims)) {
            Some(rule) => Err(format!("the claims do not satisfy {:?}", rule.as_str())),
            None => Err("the token is of another issuer, or for another audience, than the rule's".to_owned()),
        }
    }

    /// The headers that tell the service behind who asks.
    pub(crate) fn headers(&self, claims: &Map<String, Value>) -> Result<HeaderMap, HeaderError> {
        self.headers.fill(claims)
    }
}

/// Whether these claims are meant for this audience.
pub(crate) fn is_for(claims: &Map<String, Value>, audience: &Audience) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience.as_str(),
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(audience.as_str())),
        _ => false,
    }
}

/// An audience that no issuer admits would make a rule that nothing ever satisfies.
fn check_audiences(audiences: &[Audience], issuers: Vec<&IssuerConfig>) -> Result<(), String> {
    let admitted =
        |audience: &&Audience| issuers.iter().any(|issuer| issuer.any_audience || issuer.audiences.contains(audience));
    match audiences.iter().find(|audience| !admitted(audience)) {
        Some(audience) => Err(format!("audiences: expected audiences of the rule's issuers, got {audience}")),
        None => Ok(()),
    }
}
