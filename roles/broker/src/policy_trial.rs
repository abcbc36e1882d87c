// SPDX-License-Identifier: Apache-2.0
//! What would be decided, and why: for explanations, for a corpus of cases, and for the question who could have something. Nothing is
//! given out here: the claims that it is given need not come from a token.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cress_domain::{CredentialName, Issuer, OrganizationId, Timestamp};
use cress_policy::{Policies, Request, What};
use cress_verify::ClaimRule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Config, ConfigError, Loaded};

/// Policies that can be tried.
#[derive(Debug)]
pub struct PolicyTrial {
    config: Config,
    policies: Policies,
    issuers: Vec<Trusted>,
}

/// An issuer, as far as it matters here.
#[derive(Debug)]
struct Trusted {
    name: String,
    issuer: Issuer,
    organization: Option<ClaimRule>,
    group: Option<ClaimRule>,
    /// The organizations whose tokens may be meant for them alone; none if all must be meant for the broker.
    organizations: Option<Vec<OrganizationId>>,
}

/// A credential that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// Which.
    pub credential: String,
    /// How long it is to live, in seconds; as the credential is configured if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// What else is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Where the workload is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<IpAddr>,
}

/// One case of a corpus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// The claims of the token, taken for verified but for issuer and audience.
    pub claims: Map<String, Value>,
    /// What is asked for.
    pub issue: CaseRequest,
    /// When, in seconds since 1970; now if nothing is said.
    #[serde(default)]
    pub time: Option<i64>,
    /// What is to be decided.
    pub expect: Expectation,
}

/// What a case expects. What it leaves out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether it is given.
    pub outcome: Outcome,
    /// The reason's code.
    #[serde(default)]
    pub reason: Option<String>,
    /// The policies that decide, by their `@id`, in alphabetical order.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
}

/// Whether a credential is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is.
    Permitted,
    /// It is not.
    Refused,
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it is given. Caps and rates are not looked at.
    pub outcome: Outcome,
    /// Which credential was asked for.
    pub credential: String,
    /// How long it would live, if there is such a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// A stable code.
    pub reason: String,
    /// The reason in words, for the operator: it names what a workload is not told.
    pub detail: String,
    /// The policies that decided, by their `@id`.
    pub policies: Vec<String>,
}

/// A refusal on the way.
struct Refused {
    ttl_seconds: Option<u32>,
    reason: &'static str,
    detail: String,
    policies: Vec<String>,
}

/// Someone who could ask.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// What it is called in the answer.
    pub name: String,
    /// The claims that its token would have.
    pub claims: Map<String, Value>,
}

impl PolicyTrial {
    /// Checks a configuration and prepares its policies. Reads their files; opens no connection.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check_own()?;
        let policies = Loaded::read(config.clone())?.parse()?;
        let issuers = config.issuers.iter().map(|(name, issuer)| {
            let [organization, group, ..] = issuer.identity(name)?;
            Ok(Trusted {
                name: name.clone(),
                issuer: issuer.issuer_name(name)?,
                organization,
                group,
                organizations: issuer.accept_organization_audience.then(|| issuer.organizations.clone()),
            })
        });
        let issuers = issuers.collect::<Result<_, ConfigError>>()?;
        Ok(Self { config: config.clone(), policies, issuers })
    }

    /// What is allowed and yet worth a second look.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let by_name = self.policies.warnings().iter().map(ToString::to_string);
        let accepting = self.issuers.iter().filter(|trusted| trusted.organizations.is_some());
        let replay = accepting.map(|trusted| {
            format!(
                "issuer {:?}: tokens that are meant for an organization are accepted: every service of it that is shown one can use it here",
                trusted.name
            )
        });
        by_name.chain(replay).collect()
    }

    /// The issuer of this name in the configuration, or the only one.
    #[must_use]
    pub fn issuer(&self, name: Option<&str>) -> Option<&Issuer> {
        match (name, self.issuers.as_slice()) {
            (None, [only]) => Some(&only.issuer),
            (None, _) => None,
            (Some(name), issuers) => issuers.iter().find(|one| one.name == name).map(|one| &one.issuer),
        }
    }

    /// Tries one request.
    #[must_use]
    pub fn explain(&self, claims: &Map<String, Value>, request: &CaseRequest, time: Timestamp) -> Explanation {
        let credential = request.credential.clone();
        match self.decide(claims, request, time) {
            Ok((ttl_seconds, policies)) => Explanation {
                outcome: Outcome::Permitted,
                credential,
                ttl_seconds: Some(ttl_seconds),
                reason: "permitted".to_owned(),
                detail: "a policy permits it, and none forbids it".to_owned(),
                policies,
            },
            Err(Refused { ttl_seconds, reason, detail, policies }) => Explanation {
                outcome: Outcome::Refused,
                credential,
                ttl_seconds,
                reason: reason.to_owned(),
                detail,
                policies,
            },
        }
    }

    fn decide(
        &self,
        claims: &Map<String, Value>,
        request: &CaseRequest,
        time: Timestamp,
    ) -> Result<(u32, Vec<String>), Refused> {
        let trusted = self.check_issuer(claims)?;
        let name: Option<CredentialName> = request.credential.parse().ok();
        let written = name.as_ref().and_then(|name| self.config.credentials.get(name));
        let written = written.ok_or_else(|| refusal("credential-unknown", "no credential has this name".to_owned()))?;
        let ttl_seconds = request.ttl_seconds.unwrap_or_else(|| written.ttl_seconds_default());
        let max = written.ttl_seconds_max;
        if !(1..=max).contains(&ttl_seconds) {
            return Err(refusal(
                "ttl-out-of-bounds",
                format!("expected a life of 1 to {max} seconds, got {ttl_seconds}"),
            ));
        }
        if let Some(unknown) = request.parameters.keys().find(|name| !written.parameters.contains(name)) {
            return Err(refusal("parameter-refused", format!("the credential takes no parameter {unknown:?}")));
        }
        let parameters: Vec<(&str, &str)> =
            request.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let what = What::Issue { credential: &request.credential, ttl_seconds, parameters: &parameters };
        let asked = Request { what, time, source_address: request.source_address };
        let decision = self.policies.rehearse(claims, &asked);
        let policies = decision.decided_by().to_vec();
        if !decision.is_permitted() {
            let (reason, detail) = (decision.why().code(), decision.why().to_string());
            return Err(Refused { ttl_seconds: Some(ttl_seconds), reason, detail, policies });
        }
        if written.shared.is_some() && text(claims, trusted.group.as_ref()).is_none() {
            let detail = "the credential is shared by a container group, and the token names none";
            return Err(refusal("group-missing", detail.to_owned()));
        }
        Ok((ttl_seconds, policies))
    }

    /// As the broker would: whose token it is, and whom it is for.
    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<&Trusted, Refused> {
        let name = claims.get("iss").and_then(Value::as_str);
        let trusted = self.issuers.iter().find(|one| Some(one.issuer.as_str()) == name);
        let trusted = trusted.ok_or_else(|| refusal("issuer-unknown", format!("no issuer is called {name:?}")))?;
        if is_for(claims, self.config.audience.as_str()) {
            return Ok(trusted);
        }
        let own = text(claims, trusted.organization.as_ref());
        let is_accepted = trusted.organizations.as_ref().zip(own).is_some_and(|(organizations, own)| {
            is_for(claims, own) && (organizations.is_empty() || organizations.iter().any(|one| one.to_string() == own))
        });
        if is_accepted {
            return Ok(trusted);
        }
        let audience = &self.config.audience;
        Err(refusal("audience-mismatch", format!("the token is not for this broker, whose audience is {audience}")))
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
        if let Some(reason) = &expect.reason {
            compare("reason", reason.clone(), explanation.reason.clone());
        }
        if let Some(policies) = &expect.policies {
            compare("policies", format!("{policies:?}"), format!("{:?}", explanation.policies));
        }
        differences
    }
}

fn is_for(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

fn text<'a>(claims: &'a Map<String, Value>, claim: Option<&ClaimRule>) -> Option<&'a str> {
    claim?.find(claims)?.as_str()
}

const fn refusal(reason: &'static str, detail: String) -> Refused {
    Refused { ttl_seconds: None, reason, detail, policies: Vec::new() }
}

#[cfg(test)]
mod tests;
