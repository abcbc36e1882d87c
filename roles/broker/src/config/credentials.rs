// SPDX-License-Identifier: Apache-2.0
//! What is given out, as it is written: the systems, and the credentials at each. What only a provider understands is kept for it.

use std::ops::RangeInclusive;

use cress_domain::ProviderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::in_range;

/// Longest life at once: 30 days.
const TTL_SECONDS: RangeInclusive<u32> = 1..=30 * 24 * 3_600;
/// Longest life with all renewals: 90 days.
const LIFETIME_SECONDS: RangeInclusive<u32> = 1..=90 * 24 * 3_600;
const ACTIVE: RangeInclusive<u32> = 1..=1_000_000;
/// Parameters of one credential.
pub(crate) const PARAMETERS_MAX: usize = 16;
pub(crate) const PARAMETER_NAME_BYTES_MAX: usize = 64;
/// The name of the kind whose credentials are access tokens.
const JWT: &str = "jwt";
/// What that kind calls them.
const JWT_FIELD: &str = "access_token";

/// A system that credentials are made for.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct ProviderConfig {
    /// Of which kind it is: static, jwt, r2, redis or postgresql.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind asks for besides.
    #[serde(flatten)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub settings: toml::Table,
}

/// A credential.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct CredentialConfig {
    /// The system that it is for: a name of `providers`.
    #[schemars(with = "String")]
    pub provider: ProviderName,
    /// How long it lives if the workload does not say, in seconds: 1 to 2,592,000 (30 days); 900 by default, or `ttl_seconds_max` if that is
    /// less.
    #[serde(default)]
    pub ttl_seconds_default: Option<u32>,
    /// How long it may live at once, in seconds: 1 to 2,592,000 (30 days); 3,600 by default.
    #[serde(default = "ttl_max_default")]
    pub ttl_seconds_max: u32,
    /// How long it may live with all renewals, in seconds: up to 7,776,000 (90 days), and not less than `ttl_seconds_max`; a day by default,
    /// or `ttl_seconds_max` if that is more.
    #[serde(default)]
    pub lifetime_seconds_max: Option<u32>,
    /// How many leases of it one instance may have at once: 1 to 1,000,000; 10 by default.
    #[serde(default = "instance_max_default")]
    pub active_per_instance_max: u32,
    /// How many leases of it all instances of one container group may have at once: 1 to 1,000,000; 1,000 by default.
    #[serde(default = "group_max_default")]
    pub active_per_group_max: u32,
    /// `group`: all instances of a container group are given the same one. Each gets its own by default.
    #[serde(default)]
    pub shared: Option<Shared>,
    /// The parameters that a workload may give, by name.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// The field that the token exchange (`/oauth/token`) gives out as the access token. `access_token` for the kind jwt; without one the
    /// credential cannot be had there.
    #[serde(default)]
    pub oauth_field: Option<String>,
    /// What the provider's kind asks for besides.
    #[serde(flatten)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub settings: toml::Table,
}

/// Who is given the same credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shared {
    /// All instances of a container group.
    Group,
}

impl CredentialConfig {
    /// All defaults, of this provider.
    #[must_use]
    pub fn new(provider: ProviderName) -> Self {
        Self {
            provider,
            ttl_seconds_default: None,
            ttl_seconds_max: ttl_max_default(),
            lifetime_seconds_max: None,
            active_per_instance_max: instance_max_default(),
            active_per_group_max: group_max_default(),
            shared: None,
            parameters: Vec::new(),
            oauth_field: None,
            settings: toml::Table::new(),
        }
    }

    /// How long it lives if nothing is said.
    pub(crate) fn ttl_seconds_default(&self) -> u32 {
        const QUARTER_OF_AN_HOUR: u32 = 900;
        self.ttl_seconds_default.unwrap_or_else(|| QUARTER_OF_AN_HOUR.min(self.ttl_seconds_max))
    }

    /// How long it may live with all renewals.
    pub(crate) fn lifetime_seconds_max(&self) -> u32 {
        const DAY: u32 = 24 * 3_600;
        self.lifetime_seconds_max.unwrap_or_else(|| DAY.max(self.ttl_seconds_max))
    }

    /// What the token exchange gives out of it, if it is of this kind.
    pub(crate) fn oauth_field(&self, kind: &str) -> Option<&str> {
        self.oauth_field.as_deref().or_else(|| (kind == JWT).then_some(JWT_FIELD))
    }

    pub(super) fn check(&self, path: &str) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{path}.{key}");
        in_range(&key("ttl_seconds_max"), TTL_SECONDS, self.ttl_seconds_max)?;
        in_range(&key("ttl_seconds_default"), 1..=self.ttl_seconds_max, self.ttl_seconds_default())?;
        let lifetime = self.ttl_seconds_max..=*LIFETIME_SECONDS.end();
        in_range(&key("lifetime_seconds_max"), lifetime, self.lifetime_seconds_max())?;
        in_range(&key("active_per_instance_max"), ACTIVE, self.active_per_instance_max)?;
        in_range(&key("active_per_group_max"), ACTIVE, self.active_per_group_max)?;
        let wrong = |reason: String| ConfigError::Value { key: key("parameters"), reason };
        if self.parameters.len() > PARAMETERS_MAX {
            return Err(wrong(format!("expected at most {PARAMETERS_MAX} names, got {}", self.parameters.len())));
        }
        match self.parameters.iter().find(|name| !is_parameter(name)) {
            Some(name) => Err(wrong(format!(
                "expected names of 1 to {PARAMETER_NAME_BYTES_MAX} small letters, digits and underscores, got {name:?}"
            ))),
            None => Ok(()),
        }
    }
}

/// No sign that a policy, an account's name or a target could take for more than a part of a word.
fn is_parameter(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=PARAMETER_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

const fn ttl_max_default() -> u32 {
    3_600
}

const fn instance_max_default() -> u32 {
    10
}

const fn group_max_default() -> u32 {
    1_000
}
