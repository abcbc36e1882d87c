// SPDX-License-Identifier: Apache-2.0
//! Whose tokens are accepted, where their keys are, and which of their claims say whose a lease is.

use std::path::PathBuf;
use std::time::Duration;

use cress_domain::{Audience, Issuer, OrganizationId};
use cress_verify::{Algorithm, AudienceRule, ClaimRule, KeySource, Preset, RemoteKeys, Rules, TrustedIssuer};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What is known beforehand of its tokens: cress, saladcloud, kubernetes, spire, github-actions or gitlab. It brings the key
    /// set's URL, the algorithms, the longest life, the claims that must be there and those that identify, each of which can be set here
    /// too.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub preset: Option<Preset>,
    /// What its tokens say as `iss`, to the letter. Only some presets bring it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Issuer>,
    /// The URL of its key set: https, or http on this machine.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// A file with its key set instead, read again when it changes.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Certificate authorities (PEM) to trust for `jwks_url`, and no others.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Accepts tokens that are meant for an organization, too, rather than for this broker. Every service of that organization that is shown
    /// one can then use it here, so this is for issuers whose tokens cannot name another audience, such as SaladCloud's.
    #[serde(default)]
    pub accept_organization_audience: bool,
    /// The ids of the organizations of which that is accepted; all of them if nothing is said.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub organizations: Vec<OrganizationId>,
    /// The algorithms that it signs with: ES256, ES384, RS256 and others; the preset's, or ES256, by default.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// How far its clock may be from this machine's, in seconds: up to 300; 30 by default.
    #[serde(default)]
    pub leeway_seconds: Option<u64>,
    /// How long its tokens may live, in seconds, from `iat` to `exp`. The preset's by default; without one not looked at.
    #[serde(default)]
    pub lifetime_seconds_max: Option<u64>,
    /// How long its keys count without being confirmed, in seconds: up to 30 days; a day by default. Every token is refused then.
    #[serde(default)]
    pub keys_age_seconds_max: Option<u64>,
    /// Which claims say whose a token is. The preset's by default; without one, those of cress.
    #[serde(default)]
    pub claims: IdentityClaims,
}

/// Which claims say whose a token is: names, or JSON pointers such as /kubernetes.io/pod/uid. A lease belongs to the instance; if the token
/// has none, to the machine's instances of the group, which share it; if it has neither, to `sub`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityClaims {
    /// The organization's id.
    pub organization: Option<String>,
    /// The container group's id, or that of what replicas have in common.
    pub group: Option<String>,
    /// The instance's id: another one for each that is started.
    pub instance: Option<String>,
    /// The machine's id.
    pub machine: Option<String>,
}

const LEEWAY_SECONDS: u64 = 30;
const DAY_SECONDS: u64 = 86_400;

impl IssuerConfig {
    /// As the verifier takes it. Reads `ca_file`. Whether a token for an organization is good enough is looked at afterwards.
    pub(crate) fn trusted(&self, name: &str, audience: &Audience) -> Result<TrustedIssuer, ConfigError> {
        let mut trusted = TrustedIssuer::new(self.token_rules(name, audience)?, self.keys(name)?);
        trusted.keys_age_max = Duration::from_secs(self.keys_age_seconds_max.unwrap_or(DAY_SECONDS));
        Ok(trusted)
    }

    /// What its tokens say as `iss`.
    pub(crate) fn issuer_name(&self, name: &str) -> Result<Issuer, ConfigError> {
        match (self.preset, &self.issuer) {
            (Some(preset), given) => preset.issuer(given.clone()).map_err(|error| wrong(name, error)),
            (None, Some(given)) => Ok(given.clone()),
            (None, None) => Err(wrong(name, "expected `issuer`, or a `preset` that brings one")),
        }
    }

    /// The claims that identify, with the preset's where nothing is written.
    pub(crate) fn identity(&self, name: &str) -> Result<[Option<ClaimRule>; 4], ConfigError> {
        let known = known(self.preset);
        let written = &self.claims;
        let written = [&written.organization, &written.group, &written.instance, &written.machine];
        let mut claims = [None, None, None, None];
        for ((claim, known), written) in claims.iter_mut().zip(known).zip(written) {
            let Some(path) = written.as_deref().or(known) else { continue };
            let rule = path.parse::<ClaimRule>().ok().filter(|rule| rule.claim() == path);
            *claim = Some(rule.ok_or_else(|| {
                wrong(name, format!("claims: expected the name of a claim, or a JSON pointer to it, got {path:?}"))
            })?);
        }
        Ok(claims)
    }

    pub(super) fn check(&self, name: &str, audience: &Audience) -> Result<(), ConfigError> {
        self.trusted(name, audience)?;
        self.identity(name)?;
        if self.preset == Some(Preset::SaladCloud) && !self.accept_organization_audience {
            let reason = "expected accept_organization_audience = true: SaladCloud's tokens are for an organization and cannot name \
                          another audience";
            return Err(wrong(name, reason));
        }
        if !self.organizations.is_empty() && !self.accept_organization_audience {
            return Err(wrong(name, "expected `organizations` together with `accept_organization_audience` only"));
        }
        Ok(())
    }

    fn token_rules(&self, name: &str, audience: &Audience) -> Result<Rules, ConfigError> {
        let audiences = if self.accept_organization_audience {
            AudienceRule::Any
        } else {
            AudienceRule::OneOf(vec![audience.clone()])
        };
        let mut rules = match self.preset {
            Some(preset) => preset.rules(self.issuer.clone(), audiences).map_err(|error| wrong(name, error))?,
            None => Rules::new(self.issuer_name(name)?, audiences),
        };
        if !self.algorithms.is_empty() {
            let algorithm = |text: &String| text.parse::<Algorithm>().map_err(|error| wrong(name, error));
            rules.algorithms = self.algorithms.iter().map(algorithm).collect::<Result<_, _>>()?;
        }
        let leeway = Duration::from_secs(self.leeway_seconds.unwrap_or(LEEWAY_SECONDS));
        rules.leeway = leeway.try_into().map_err(|error| wrong(name, error))?;
        rules.lifetime_max = self.lifetime_seconds_max.map(Duration::from_secs).or(rules.lifetime_max);
        Ok(rules)
    }

    fn keys(&self, name: &str) -> Result<KeySource, ConfigError> {
        let url = match (&self.jwks_url, &self.jwks_file, self.preset) {
            (None, None, Some(preset)) => Some(preset.jwks_url(&self.issuer_name(name)?)),
            (url, ..) => url.clone(),
        };
        match (url, &self.jwks_file) {
            (Some(url), None) => self.remote(name, &url),
            (None, Some(file)) if self.ca_file.is_none() => Ok(file.clone().into()),
            (None, Some(_)) => Err(wrong(name, "expected `ca_file` together with `jwks_url` only")),
            _ => Err(wrong(name, "expected either `jwks_url` or `jwks_file`")),
        }
    }

    fn remote(&self, name: &str, url: &str) -> Result<KeySource, ConfigError> {
        let keys = RemoteKeys::new(url).map_err(|error| wrong(name, error))?;
        let Some(file) = &self.ca_file else { return Ok(keys.into()) };
        let pem =
            std::fs::read(file).map_err(|error| wrong(name, format!("cannot read {}: {error}", file.display())))?;
        Ok(keys.with_only_roots(&pem).map_err(|error| wrong(name, error))?.into())
    }
}

/// Organization, group, instance and machine. Ids alone: what a tenant can choose must not make it another's.
const fn known(preset: Option<Preset>) -> [Option<&'static str>; 4] {
    match preset {
        Some(Preset::Kubernetes) => {
            [None, Some("/kubernetes.io/serviceaccount/uid"), Some("/kubernetes.io/pod/uid"), None]
        }
        Some(Preset::GitHubActions) => [Some("repository_owner_id"), Some("repository_id"), Some("run_id"), None],
        Some(Preset::GitLab) => [Some("namespace_id"), Some("project_id"), Some("job_id"), None],
        Some(Preset::Spire) => [None, None, None, None],
        _ => [
            Some("salad_organization_id"),
            Some("salad_workload_id"),
            Some("salad_instance_id"),
            Some("salad_machine_id"),
        ],
    }
}

fn wrong(name: &str, reason: impl ToString) -> ConfigError {
    ConfigError::Value { key: format!("issuers.{name}"), reason: reason.to_string() }
}
