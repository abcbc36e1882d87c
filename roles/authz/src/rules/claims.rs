// SPDX-License-Identifier: Apache-2.0
//! Whether a verified token satisfies a rule, and which headers then go out.

use cress_domain::{Audience, Issuer};
use cress_token::{ClaimRule, Claims, Verified};
use http::HeaderMap;

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
}

impl ClaimsRule {
    pub(super) fn new(written: &RuleConfig, headers: HeaderPlan, known: &[IssuerConfig]) -> Result<Self, String> {
        let rule = |text: &String| text.parse::<ClaimRule>().map_err(|error| format!("claims: {text:?}: {error}"));
        let issuer = |name: &String| {
            let found = known.iter().find(|issuer| issuer.name == *name);
            found.ok_or_else(|| format!("issuers: expected the name of one of the issuers, got {name:?}"))
        };
        let issuers = written.issuers.iter().map(issuer).collect::<Result<Vec<_>, _>>()?;
        check_audiences(&written.audiences, if issuers.is_empty() { known.iter().collect() } else { issuers.clone() })?;
        Ok(Self {
            issuers: issuers.into_iter().map(|issuer| issuer.issuer.clone()).collect(),
            audiences: written.audiences.clone(),
            claims: written.claims.iter().map(rule).collect::<Result<_, _>>()?,
            headers,
        })
    }

    /// Whether these claims pass.
    pub(crate) fn admits(&self, claims: &Verified<Claims>) -> bool {
        let has_issuer = self.issuers.is_empty() || self.issuers.contains(claims.issuer());
        let is_meant = |audience: &str| self.audiences.iter().any(|one| one.as_str() == audience);
        let has_audience = self.audiences.is_empty() || claims.audiences().any(is_meant);
        has_issuer && has_audience && self.claims.iter().all(|rule| rule.matches(claims.as_map()))
    }

    /// The headers that tell the service behind who asks.
    pub(crate) fn headers(&self, claims: &Verified<Claims>) -> Result<HeaderMap, HeaderError> {
        self.headers.fill(claims)
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
