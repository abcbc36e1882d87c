// SPDX-License-Identifier: Apache-2.0
//! What would be decided, and why: for explanations and for a corpus of cases. Nothing here lets anything pass: the claims that
//! it is given need not come from a token.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cress_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Config, ConfigError, IssuerConfig, Loaded};
use crate::request::{Asked, policy_request, read_parts};
use crate::rules::{Admits, ClaimsRule, Rule, RuleSet, is_for};
use crate::warnings;

/// Rules that can be tried.
#[derive(Debug)]
pub struct Rehearsal {
    rules: RuleSet,
    config: Config,
}

/// A request that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path, with or without a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<IpAddr>,
}

/// One case of a corpus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// The claims of the token; none for a request without one. Taken for verified but for issuer and audience.
    #[serde(default)]
    pub claims: Option<Map<String, Value>>,
    /// The request.
    #[serde(default)]
    pub request: CaseRequest,
    /// When it is made, in seconds since 1970; now if nothing is said.
    #[serde(default)]
    pub time: Option<i64>,
    /// What is to be decided.
    pub expect: Expectation,
}

/// What a case expects. What it leaves out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether it passes.
    pub outcome: Outcome,
    /// The rule that decides.
    #[serde(default)]
    pub rule: Option<String>,
    /// The reason's code.
    #[serde(default)]
    pub reason: Option<String>,
    /// The policies that decide, by their `@id`, in alphabetical order.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
}

/// Whether a request passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It does.
    Permitted,
    /// It does not.
    Refused,
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it passes. A dry run lets pass what this says is refused.
    pub outcome: Outcome,
    /// The rule that decides, if one fits.
    pub rule: Option<String>,
    /// A stable code.
    pub reason: String,
    /// The reason in words, for the operator: it names what a client is not told.
    pub detail: String,
    /// The policies that decided, by their `@id`.
    pub policies: Vec<String>,
    /// The headers that go to the service behind.
    pub headers: BTreeMap<String, String>,
}

/// A refusal on the way.
struct Refused {
    reason: &'static str,
    detail: String,
    policies: Vec<String>,
}

impl Rehearsal {
    /// Checks a configuration and prepares its rules. Reads the files of its policies.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check()?;
        let loaded = Loaded::read(config.clone())?;
        Ok(Self { rules: RuleSet::compile(&loaded)?, config: loaded.config })
    }

    /// What is allowed and yet worth a second look.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warnings::of(&self.config, &self.rules)
    }

    /// Tries one case.
    #[must_use]
    pub fn explain(&self, claims: Option<&Map<String, Value>>, request: &CaseRequest, time: Timestamp) -> Explanation {
        let parts = read_parts(request.method.as_deref(), request.host.as_deref(), request.path.as_deref());
        let asked = match parts {
            Ok(asked) => Asked { source_address: request.source_address, ..asked },
            Err(error) => return refused(None, refusal(error.code(), error.to_string())),
        };
        match self.rules.find(&asked) {
            Ok(Some(rule)) => self.explain_rule(rule, claims, &asked, time),
            Ok(None) => refused(None, refusal("no-rule", "no rule fits this request".to_owned())),
            Err(error) => refused(None, refusal(error.code(), error.to_string())),
        }
    }

    fn explain_rule(
        &self,
        rule: &Rule,
        claims: Option<&Map<String, Value>>,
        asked: &Asked<'_>,
        time: Timestamp,
    ) -> Explanation {
        match &rule.admits {
            Admits::Everyone => permitted(rule, "the rule is public", Vec::new(), self.rules.anonymous()),
            Admits::Nobody => refused(Some(rule), refusal("denied", "the rule lets nobody pass".to_owned())),
            Admits::Claims(claims_rule) => match self.check(claims_rule, claims, asked, time) {
                Ok((policies, headers)) => permitted(rule, "the token satisfies the rule", policies, &headers),
                Err(why) => refused(Some(rule), why),
            },
        }
    }

    fn check(
        &self,
        rule: &ClaimsRule,
        claims: Option<&Map<String, Value>>,
        asked: &Asked<'_>,
        time: Timestamp,
    ) -> Result<(Vec<String>, http::HeaderMap), Refused> {
        let claims = claims.ok_or_else(|| refusal("token-missing", "there is no token".to_owned()))?;
        self.check_issuer(claims)?;
        let headers = rule.headers(claims).map_err(|error| refusal("claim-too-long", error.to_string()))?;
        rule.explain(claims).map_err(|detail| refusal("claim-rule-failed", detail))?;
        let Some(policies) = rule.policies() else { return Ok((Vec::new(), headers)) };
        let whole = asked.whole().map_err(|error| refusal(error.code(), error.to_string()))?;
        let decision = policies.rehearse(claims, &policy_request(&whole, time));
        let decided_by = decision.decided_by().to_vec();
        if decision.is_permitted() {
            return Ok((decided_by, headers));
        }
        Err(Refused { reason: decision.why().code(), detail: decision.why().to_string(), policies: decided_by })
    }

    /// As the verifier would: whose it is, and whom it is for.
    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), Refused> {
        let name = claims.get("iss").and_then(Value::as_str);
        let is_named = |one: &&IssuerConfig| one.issuer_name().ok().is_some_and(|issuer| Some(issuer.as_str()) == name);
        let Some(issuer) = self.config.issuers.iter().find(is_named) else {
            return Err(refusal("issuer-unknown", format!("no issuer is called {name:?}")));
        };
        if issuer.any_audience || issuer.audiences.iter().any(|audience| is_for(claims, audience)) {
            return Ok(());
        }
        Err(refusal(
            "audience-mismatch",
            format!("the token is for none of the audiences of the issuer {:?}", issuer.name),
        ))
    }
}

impl Case {
    /// What differs from what is expected, in words; nothing if all is well.
    #[must_use]
    pub fn differences(&self, explanation: &Explanation) -> Vec<String> {
        let expect = &self.expect;
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: String, got: String| {
            if expected != got {
                differences.push(format!("expected the {what} {expected}, got {got}"));
            }
        };
        compare("outcome", format!("{:?}", expect.outcome), format!("{:?}", explanation.outcome));
        if expect.rule.is_some() {
            compare("rule", format!("{:?}", expect.rule), format!("{:?}", explanation.rule));
        }
        if let Some(reason) = &expect.reason {
            compare("reason", reason.clone(), explanation.reason.clone());
        }
        if let Some(policies) = &expect.policies {
            compare("policies", format!("{policies:?}"), format!("{:?}", explanation.policies));
        }
        differences
    }
}

fn permitted(rule: &Rule, detail: &str, policies: Vec<String>, headers: &http::HeaderMap) -> Explanation {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    Explanation {
        outcome: Outcome::Permitted,
        rule: Some(rule.name.clone()),
        reason: "permitted".to_owned(),
        detail: detail.to_owned(),
        policies,
        headers: headers.collect(),
    }
}

fn refused(rule: Option<&Rule>, why: Refused) -> Explanation {
    Explanation {
        outcome: Outcome::Refused,
        rule: rule.map(|rule| rule.name.clone()),
        reason: why.reason.to_owned(),
        detail: why.detail,
        policies: why.policies,
        headers: BTreeMap::new(),
    }
}

const fn refusal(reason: &'static str, detail: String) -> Refused {
    Refused { reason, detail, policies: Vec::new() }
}
