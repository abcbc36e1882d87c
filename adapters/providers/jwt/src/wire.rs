// SPDX-License-Identifier: Apache-2.0
//! The token itself: what it says, by the rules of access tokens (RFC 9068 section 2.2).

use cress_domain::{Audience, Timestamp};
use cress_provider::{Grant, ProviderError, Subject};
use serde_json::{Map, Value};

use crate::config::{CredentialConfig, ExtraClaim};
use crate::error;
use crate::subject::{id, subject};

/// The parameter by which a workload asks for less than the configured scope.
pub(crate) const SCOPE: &str = "scope";

/// The claims of a token.
pub(crate) fn claims(
    config: &CredentialConfig,
    issuer: &str,
    grant: &Grant,
) -> Result<Map<String, Value>, ProviderError> {
    let sub = subject(&grant.subject)?;
    let client_id = config.client_id.clone().unwrap_or_else(|| sub.clone());
    let (iat, exp) = (grant.granted_at.unix_seconds(), whole(grant.expires_at).unix_seconds());
    if exp <= iat {
        return Err(error::too_short());
    }
    let mut claims = Map::new();
    let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    claim("iss", issuer.into());
    claim("sub", sub.into());
    claim("aud", audience(&config.audiences));
    claim("client_id", client_id.into());
    claim("jti", grant.lease.to_string().into());
    claim("iat", iat.into());
    claim("exp", exp.into());
    let scopes = scopes(config, grant)?;
    if !scopes.is_empty() {
        claim("scope", scopes.join(" ").into());
    }
    for extra in &config.claims {
        claim(extra.name(), said(*extra, &grant.subject)?.into());
    }
    Ok(claims)
}

/// Tokens count whole seconds: an earlier end is a shorter life, which is safe.
pub(crate) const fn whole(moment: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(moment.unix_seconds())
}

/// One audience is a text, so that services which expect a text are served (RFC 7519 section 4.1.3 allows both).
fn audience(audiences: &[Audience]) -> Value {
    match audiences {
        [one] => one.as_str().into(),
        more => more.iter().map(Audience::as_str).collect::<Vec<_>>().into(),
    }
}

/// The configured words, or those of them that were asked for.
fn scopes<'a>(config: &'a CredentialConfig, grant: &Grant) -> Result<Vec<&'a str>, ProviderError> {
    if let Some(unknown) = grant.parameters.keys().find(|name| *name != SCOPE) {
        return Err(error::unknown_parameter(unknown));
    }
    let configured = || config.scopes.iter().map(String::as_str);
    let Some(asked) = grant.parameters.get(SCOPE) else { return Ok(configured().collect()) };
    let asked: Vec<&str> = asked.split(' ').collect();
    let unknown = asked.iter().any(|word| !config.scopes.iter().any(|scope| scope == word));
    if unknown {
        return Err(error::scope(&config.scopes));
    }
    Ok(configured().filter(|scope| asked.contains(scope)).collect())
}

fn said(claim: ExtraClaim, subject: &Subject) -> Result<String, ProviderError> {
    let value = match claim {
        ExtraClaim::OrganizationId => subject.organization_id.as_deref(),
        ExtraClaim::GroupId => subject.group_id.as_deref(),
        ExtraClaim::InstanceId => subject.instance_id.as_deref(),
        ExtraClaim::MachineId => subject.machine_id.as_deref(),
        ExtraClaim::WorkloadIssuer => Some(subject.issuer.as_str()),
        ExtraClaim::WorkloadSubject => subject.subject.as_deref(),
    };
    let value = value.ok_or_else(|| error::no_claim(claim.name()))?;
    if claim == ExtraClaim::WorkloadIssuer { Ok(value.to_owned()) } else { id(claim.name(), value).map(str::to_owned) }
}

/// Claims that nobody takes for anything: signed to see whether the key ring can.
pub(crate) fn probe(issuer: &str, now: Timestamp) -> Map<String, Value> {
    let now = now.unix_seconds();
    Map::from_iter([
        ("iss".to_owned(), issuer.into()),
        ("iat".to_owned(), now.into()),
        ("exp".to_owned(), (now + 1).into()),
    ])
}
