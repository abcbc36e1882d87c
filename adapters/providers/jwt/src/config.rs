// SPDX-License-Identifier: Apache-2.0
//! What the operator may say about it.

use std::collections::BTreeSet;

use cress_domain::Audience;
use cress_provider::{Settings, SettingsError, SigningAlgorithm};
use serde::Deserialize;

/// Services that may take one token.
const AUDIENCES_MAX: usize = 5;
/// Words of a scope.
const SCOPES_MAX: usize = 32;
/// Longest word of a scope.
const SCOPE_BYTES_MAX: usize = 100;
/// Longest id of a client.
const CLIENT_ID_BYTES_MAX: usize = 255;

/// Of the provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderConfig {
    /// Which of the broker's key rings signs.
    #[serde(default = "es256")]
    pub(crate) algorithm: SigningAlgorithm,
}

const fn es256() -> SigningAlgorithm {
    SigningAlgorithm::Es256
}

/// Of one credential, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    audience: OneOrMore,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    claims: BTreeSet<ExtraClaim>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected audience to be a text, or a list of texts")]
enum OneOrMore {
    One(Audience),
    More(Vec<Audience>),
}

/// Of one credential.
#[derive(Debug, Clone)]
pub(crate) struct CredentialConfig {
    /// Who takes the token: one at least.
    pub(crate) audiences: Vec<Audience>,
    /// The words of `scope`, in their order; none if the tokens have no scope.
    pub(crate) scopes: Vec<String>,
    /// `client_id`; without it, the subject.
    pub(crate) client_id: Option<String>,
    /// What is said about the workload besides.
    pub(crate) claims: BTreeSet<ExtraClaim>,
}

/// What may be said about a workload besides its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExtraClaim {
    OrganizationId,
    GroupId,
    InstanceId,
    MachineId,
    /// `iss` of the token that the workload has shown.
    WorkloadIssuer,
    /// `sub` of that token.
    WorkloadSubject,
}

impl ExtraClaim {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OrganizationId => "organization_id",
            Self::GroupId => "group_id",
            Self::InstanceId => "instance_id",
            Self::MachineId => "machine_id",
            Self::WorkloadIssuer => "workload_issuer",
            Self::WorkloadSubject => "workload_subject",
        }
    }
}

impl CredentialConfig {
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let written: Written = settings.read()?;
        Ok(Self {
            audiences: audiences(written.audience)?,
            scopes: written.scope.as_deref().map_or(Ok(Vec::new()), scopes)?,
            client_id: written.client_id.map(client_id).transpose()?,
            claims: written.claims,
        })
    }
}

fn audiences(written: OneOrMore) -> Result<Vec<Audience>, SettingsError> {
    let audiences = match written {
        OneOrMore::One(audience) => vec![audience],
        OneOrMore::More(audiences) => audiences,
    };
    let distinct: BTreeSet<_> = audiences.iter().map(Audience::as_str).collect();
    if (1..=AUDIENCES_MAX).contains(&audiences.len()) && distinct.len() == audiences.len() {
        return Ok(audiences);
    }
    Err(SettingsError::new(format!(
        "audience: expected 1 to {AUDIENCES_MAX} different audiences, got {}; make a credential for each service, so that none can \
         use a token at another",
        audiences.len()
    )))
}

/// Words between single spaces (RFC 6749 section 3.3).
fn scopes(text: &str) -> Result<Vec<String>, SettingsError> {
    let scopes: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let distinct: BTreeSet<_> = scopes.iter().collect();
    if scopes.len() <= SCOPES_MAX && distinct.len() == scopes.len() && scopes.iter().all(|scope| is_scope(scope)) {
        return Ok(scopes);
    }
    Err(SettingsError::new(format!(
        "scope: expected up to {SCOPES_MAX} different words between single spaces, each of 1 to {SCOPE_BYTES_MAX} printable ASCII \
         characters but quotes and backslashes, got {text:?}"
    )))
}

fn is_scope(word: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    (1..=SCOPE_BYTES_MAX).contains(&word.len()) && word.bytes().all(allowed)
}

fn client_id(text: String) -> Result<String, SettingsError> {
    let fits = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text)
    } else {
        Err(SettingsError::new(format!(
            "client_id: expected 1 to {CLIENT_ID_BYTES_MAX} printable ASCII characters without spaces, got {text:?}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CredentialConfig, SettingsError> {
        CredentialConfig::read(&Settings::new(text.parse().unwrap()))
    }

    #[test]
    fn what_a_token_says_is_configured() {
        let least = read("audience = \"https://a.example\"").unwrap();
        assert_eq!((least.audiences.len(), least.scopes.len(), least.client_id), (1, 0, None));
        let most = read(
            "audience = [\"a\", \"b\"]\nscope = \"read write:all\"\nclient_id = \"cress\"\nclaims = [\"group_id\", \"workload_issuer\"]",
        );
        let most = most.unwrap();
        assert_eq!(most.scopes, ["read", "write:all"]);
        assert_eq!(most.claims.iter().map(|claim| claim.name()).collect::<Vec<_>>(), ["group_id", "workload_issuer"]);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (bad, named) in [
            ("", "audience"),
            ("audience = []", "audience: expected 1 to 5"),
            ("audience = [\"a\", \"a\"]", "audience: expected 1 to 5"),
            ("audience = 7", "audience"),
            ("audience = \"\"", "audience"),
            ("audience = \"a\"\nscope = \"\"", "scope: expected"),
            ("audience = \"a\"\nscope = \"read  write\"", "scope: expected"),
            ("audience = \"a\"\nscope = \"read read\"", "scope: expected"),
            ("audience = \"a\"\nscope = \"re\\\"ad\"", "scope: expected"),
            ("audience = \"a\"\nclient_id = \"a b\"", "client_id: expected"),
            ("audience = \"a\"\nclaims = [\"email\"]", "unknown variant `email`"),
            ("audience = \"a\"\nissuer = \"x\"", "unknown field `issuer`"),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
        for bad in ["algorithm = \"HS256\"", "algorithm = \"none\"", "key = \"x\""] {
            assert!(Settings::new(bad.parse().unwrap()).read::<ProviderConfig>().is_err(), "{bad} was accepted");
        }
    }
}
