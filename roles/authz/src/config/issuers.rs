// SPDX-License-Identifier: Apache-2.0
//! Whose tokens are accepted, and where their keys are.

use std::path::PathBuf;
use std::time::Duration;

use cress_domain::{Audience, Issuer};
use cress_verify::{Algorithm, AudienceRule, KeySource, Preset, RemoteKeys, Rules, TrustedIssuer};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What rules call it.
    pub name: String,
    /// What is known beforehand of its tokens: cress, saladcloud, kubernetes, spire, github-actions or gitlab. It brings the key
    /// set's URL, the algorithms, the longest life and the claims that must be there, each of which can be set here too.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub preset: Option<Preset>,
    /// What its tokens say as `iss`, to the letter. Only some presets bring it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Issuer>,
    /// The URL of its key set: https, or http on this machine. Without it, `jwks_file` and a preset, the issuer's discovery document
    /// (/.well-known/openid-configuration) says where its keys are.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// A file with its key set instead, read again when it changes.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Certificate authorities (PEM) to trust for its keys and its discovery document, and no others. Read again whenever they are
    /// fetched; while the file cannot be read, none are.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whom its tokens must be meant for: one of these.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub audiences: Vec<Audience>,
    /// Accepts tokens for any audience: whoever was shown one can show it here. Instead of `audiences`.
    #[serde(default)]
    pub any_audience: bool,
    /// The algorithms that it signs with: ES256, ES384, RS256 and others; the preset's, or ES256, by default.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// How far its clock may be from this machine's, in seconds: up to 300; 30 by default.
    #[serde(default = "leeway_default")]
    pub leeway_seconds: u64,
    /// How long its tokens may live, in seconds, from `iat` to `exp`. The preset's by default; without one not looked at.
    #[serde(default)]
    pub lifetime_seconds_max: Option<u64>,
    /// How long its keys count without being confirmed, in seconds: up to 30 days; a day by default. Every token is refused then.
    #[serde(default = "keys_age_default")]
    pub keys_age_seconds_max: u64,
}

impl IssuerConfig {
    /// All defaults, for the tokens of this issuer that are for these audiences, with the key set at this URL.
    #[must_use]
    pub fn new(name: &str, issuer: Issuer, jwks_url: &str, audiences: Vec<Audience>) -> Self {
        Self {
            name: name.to_owned(),
            preset: None,
            issuer: Some(issuer),
            jwks_url: Some(jwks_url.to_owned()),
            jwks_file: None,
            ca_file: None,
            audiences,
            any_audience: false,
            algorithms: Vec::new(),
            leeway_seconds: leeway_default(),
            lifetime_seconds_max: None,
            keys_age_seconds_max: keys_age_default(),
        }
    }

    /// As the verifier takes it. Reads `ca_file`.
    pub(crate) fn trusted(&self) -> Result<TrustedIssuer, ConfigError> {
        let mut trusted = TrustedIssuer::new(self.token_rules()?, self.keys()?);
        trusted.keys_age_max = Duration::from_secs(self.keys_age_seconds_max);
        Ok(trusted)
    }

    fn token_rules(&self) -> Result<Rules, ConfigError> {
        let audiences = match (self.audiences.is_empty(), self.any_audience) {
            (false, false) => AudienceRule::OneOf(self.audiences.clone()),
            (true, true) => AudienceRule::Any,
            _ => return Err(self.wrong("expected either `audiences` or `any_audience = true`")),
        };
        let mut rules = match self.preset {
            Some(preset) => preset.rules(self.issuer.clone(), audiences).map_err(|error| self.wrong(error))?,
            None => Rules::new(self.issuer_name()?, audiences),
        };
        if !self.algorithms.is_empty() {
            let algorithm = |name: &String| name.parse::<Algorithm>().map_err(|error| self.wrong(error));
            rules.algorithms = self.algorithms.iter().map(algorithm).collect::<Result<_, _>>()?;
        }
        let leeway = Duration::from_secs(self.leeway_seconds);
        rules.leeway = leeway.try_into().map_err(|error| self.wrong(error))?;
        rules.lifetime_max = self.lifetime_seconds_max.map(Duration::from_secs).or(rules.lifetime_max);
        Ok(rules)
    }

    /// What its tokens say as `iss`.
    pub(crate) fn issuer_name(&self) -> Result<Issuer, ConfigError> {
        match (self.preset, &self.issuer) {
            (Some(preset), given) => preset.issuer(given.clone()).map_err(|error| self.wrong(error)),
            (None, Some(given)) => Ok(given.clone()),
            (None, None) => Err(self.wrong("expected `issuer`, or a `preset` that brings one")),
        }
    }

    fn keys(&self) -> Result<KeySource, ConfigError> {
        if let Some(file) = &self.jwks_file {
            return match (&self.jwks_url, &self.ca_file) {
                (Some(_), _) => Err(self.wrong("expected either `jwks_url` or `jwks_file`")),
                (None, Some(_)) => Err(self.wrong("expected no `ca_file` together with `jwks_file`")),
                (None, None) => Ok(file.clone().into()),
            };
        }
        let keys = self.remote_keys().map_err(|error| self.wrong(error))?;
        match &self.ca_file {
            None => Ok(keys.into()),
            Some(file) => {
                let keys = keys.with_only_roots_of(file);
                Ok(keys.map_err(|error| self.wrong(format!("{}: {error}", file.display())))?.into())
            }
        }
    }

    /// At the URL that is given, where the preset has them, or where the issuer says.
    fn remote_keys(&self) -> Result<RemoteKeys, String> {
        let issuer = || self.issuer_name().map_err(|error| error.to_string());
        let keys = match (&self.jwks_url, self.preset) {
            (Some(url), _) => RemoteKeys::new(url),
            (None, Some(preset)) => RemoteKeys::new(&preset.jwks_url(&issuer()?)),
            (None, None) => RemoteKeys::discovered(&issuer()?),
        };
        keys.map_err(|error| error.to_string())
    }

    fn wrong(&self, reason: impl ToString) -> ConfigError {
        ConfigError::Issuer { name: self.name.clone(), reason: reason.to_string() }
    }
}

const fn leeway_default() -> u64 {
    30
}

const fn keys_age_default() -> u64 {
    86_400
}
