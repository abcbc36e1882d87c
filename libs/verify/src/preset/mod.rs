// SPDX-License-Identifier: Apache-2.0
//! What is known beforehand about the tokens of well-known issuers, so that nobody has to look it up.
//!
//! A preset only ever narrows: it says where keys are, which algorithms and claims tokens have and how long they live. Whom they
//! must be meant for, and which of them are let in, is the caller's to say. Nothing here talks to an issuer; `docs/presets.md`
//! says how each preset is checked against the real one.

mod facts;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use cress_domain::{Issuer, OrganizationId};
use cress_token::{AudienceRule, Rules};
use serde::{Deserialize, Serialize};

use crate::{Algorithm, RemoteKeys, RemoteKeysError, TrustedIssuer};
use facts::Facts;

/// A kind of issuer whose tokens are known.
///
/// ```
/// use cress_verify::{AudienceRule, Preset};
///
/// let preset: Preset = "github-actions".parse()?;
/// let mut trusted = preset.trusted_issuer(None, AudienceRule::OneOf(vec!["https://deploy.example".parse()?]))?;
/// trusted.rules.claim_rules.push("repository_id=123456789".parse()?);
/// assert_eq!(trusted.rules.issuer.as_str(), "https://token.actions.githubusercontent.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Preset {
    /// A control of cress. Needs its issuer.
    Cress,
    /// Container instances of SaladCloud.
    SaladCloud,
    /// Projected service account tokens of a Kubernetes cluster. Needs the cluster's issuer.
    Kubernetes,
    /// JWT-SVIDs of SPIRE, whose keys its OIDC discovery provider publishes. Needs the server's `jwt_issuer`.
    Spire,
    /// Jobs of GitHub Actions; another issuer is that of a GitHub Enterprise.
    GitHubActions,
    /// Jobs of GitLab; another issuer is the URL of a GitLab of one's own.
    GitLab,
}

/// A claim that says whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityClaim {
    /// The claim as a [`crate::ClaimRule`] names it: its name, or a JSON pointer to it.
    pub claim: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// Whether it is safe to match.
    pub kind: ClaimKind,
}

/// Whether a claim keeps meaning the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// Given by the issuer once and never again: the safe thing to match.
    Id,
    /// Chosen by people: after a deletion or a change of names it can come to mean another.
    Name,
}

/// A preset that cannot be used like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// A name that no preset has.
    #[error("expected one of the presets {names}, got {0:?}", names = Preset::names())]
    Unknown(String),
    /// Each installation has an issuer of its own, and none was given.
    #[error("expected an issuer with the preset {0}: {hint}", hint = .0.facts().issuer_hint)]
    IssuerMissing(Preset),
    /// There is only one, and another was given.
    #[error("expected no issuer with the preset {0}, which has only {1}")]
    IssuerFixed(Preset, &'static str),
    /// Keys cannot be fetched from there.
    #[error(transparent)]
    Keys(#[from] RemoteKeysError),
}

impl Preset {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Cress, Self::SaladCloud, Self::Kubernetes, Self::Spire, Self::GitHubActions, Self::GitLab];

    /// Its name in configuration and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// The issuer of its tokens: its own, or the given one where each installation has another.
    ///
    /// # Errors
    /// [`PresetError::IssuerMissing`], [`PresetError::IssuerFixed`].
    pub fn issuer(self, given: Option<Issuer>) -> Result<Issuer, PresetError> {
        match (self.facts().issuer, given) {
            (Some(only), Some(given)) if self == Self::SaladCloud && given.as_str() != only => {
                Err(PresetError::IssuerFixed(self, only))
            }
            (_, Some(given)) => Ok(given),
            (Some(own), None) => own.parse().map_err(|_| PresetError::IssuerMissing(self)),
            (None, None) => Err(PresetError::IssuerMissing(self)),
        }
    }

    /// Where this issuer publishes its keys. Some installations publish them elsewhere: give the verifier that URL instead.
    #[must_use]
    pub fn jwks_url(self, issuer: &Issuer) -> String {
        match self {
            Self::SaladCloud => facts::SALADCLOUD_JWKS_URL.to_owned(),
            _ => format!("{}{}", issuer.as_str().trim_end_matches('/'), self.facts().jwks_path),
        }
    }

    /// The algorithms that its tokens are signed with.
    #[must_use]
    pub const fn algorithms(self) -> &'static [Algorithm] {
        self.facts().algorithms
    }

    /// The claims that say whose a token is.
    #[must_use]
    pub const fn identity_claims(self) -> &'static [IdentityClaim] {
        self.facts().identity_claims
    }

    /// What its tokens must satisfy. This lets in every workload of the issuer whose token is for this audience: add claim rules.
    ///
    /// # Errors
    /// [`PresetError::IssuerMissing`], [`PresetError::IssuerFixed`].
    pub fn rules(self, issuer: Option<Issuer>, audiences: AudienceRule) -> Result<Rules, PresetError> {
        let facts = self.facts();
        let mut rules = Rules::new(self.issuer(issuer)?, audiences);
        rules.algorithms = facts.algorithms.to_vec();
        rules.lifetime_max = Some(facts.lifetime_max);
        rules.required_claims = facts.required_claims.iter().map(|name| (*name).to_owned()).collect();
        // The texts are constants that a test parses.
        rules.claim_rules = facts.claim_rules.iter().filter_map(|rule| rule.parse().ok()).collect();
        Ok(rules)
    }

    /// The rules with keys from [`Self::jwks_url`].
    ///
    /// # Errors
    /// [`PresetError`].
    pub fn trusted_issuer(self, issuer: Option<Issuer>, audiences: AudienceRule) -> Result<TrustedIssuer, PresetError> {
        let rules = self.rules(issuer, audiences)?;
        let keys = RemoteKeys::new(&self.jwks_url(&rules.issuer))?;
        Ok(TrustedIssuer::new(rules, keys))
    }

    /// What whoever chose these audiences ought to know, to be said when a service starts.
    #[must_use]
    pub fn caution(self, audiences: &AudienceRule) -> Option<&'static str> {
        match audiences {
            AudienceRule::Any => Some(
                "tokens for any audience are accepted: every service that is shown one can use it here; name the audiences",
            ),
            AudienceRule::OneOf(audiences) => {
                let organization = |audience: &crate::Audience| audience.as_str().parse::<OrganizationId>().is_ok();
                let for_organization =
                    matches!(self, Self::Cress | Self::SaladCloud) && audiences.iter().any(organization);
                for_organization.then_some(
                    "tokens for a whole organization are accepted: each of its services that is shown one can use it here; \
                     have workloads ask for tokens for this service where their platform allows it",
                )
            }
        }
    }

    const fn facts(self) -> &'static Facts {
        match self {
            Self::Cress => &facts::CRESS,
            Self::SaladCloud => &facts::SALADCLOUD,
            Self::Kubernetes => &facts::KUBERNETES,
            Self::Spire => &facts::SPIRE,
            Self::GitHubActions => &facts::GITHUB_ACTIONS,
            Self::GitLab => &facts::GITLAB,
        }
    }

    fn names() -> String {
        Self::ALL.iter().map(|preset| preset.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl FromStr for Preset {
    type Err = PresetError;
    fn from_str(name: &str) -> Result<Self, PresetError> {
        let unknown = || PresetError::Unknown(name.chars().take(64).collect());
        Self::ALL.iter().copied().find(|preset| preset.as_str() == name).ok_or_else(unknown)
    }
}

impl TryFrom<String> for Preset {
    type Error = PresetError;
    fn try_from(name: String) -> Result<Self, PresetError> {
        name.parse()
    }
}

impl From<Preset> for &'static str {
    fn from(preset: Preset) -> Self {
        preset.as_str()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
