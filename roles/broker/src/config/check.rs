// SPDX-License-Identifier: Apache-2.0
//! The rules of the configuration that its types do not carry. Opens no socket; reads the files that it names.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use cress_domain::Issuer;
use cress_service::tls::{Proxy, check_plain_http};

use super::{Config, Loaded};

const DRAIN_SECONDS: RangeInclusive<u32> = 0..=600;
/// As many as the verifier remembers at most.
const CACHED_TOKENS: RangeInclusive<u32> = 0..=10_000_000;
const ISSUERS_MAX: usize = 256;
const PROVIDERS_MAX: usize = 1_000;
const CREDENTIALS_MAX: usize = 10_000;
const REALM_BYTES_MAX: usize = 128;
/// Longest name of an issuer: it is a label of metrics.
const NAME_BYTES_MAX: usize = 64;

/// A configuration that cannot work; each is one sentence that names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number beyond its bounds.
    #[error("{key}: expected {} to {}, got {got}", bounds.start(), bounds.end())]
    Range {
        /// The key.
        key: String,
        /// What it may be.
        bounds: RangeInclusive<u32>,
        /// What it is.
        got: u32,
    },
    /// A value that its key does not take.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What was expected and what came.
        reason: String,
    },
    /// Policies that cannot be used.
    #[error("{place}: {reason}")]
    Policy {
        /// Where they stand.
        place: String,
        /// What was expected and what came.
        reason: String,
    },
}

impl Config {
    /// Checks everything but what providers understand, the files that it names included.
    ///
    /// # Errors
    /// [`ConfigError`], the first that is found.
    pub(crate) fn check_own(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(value("data_dir", "expected the path of a directory, got nothing"));
        }
        in_range("drain_seconds", DRAIN_SECONDS, self.drain_seconds)?;
        in_range("cached_tokens_max", CACHED_TOKENS, self.cached_tokens_max)?;
        self.limits.check()?;
        self.rates.check()?;
        self.store.check(&self.data_dir)?;
        self.key_encryption.check()?;
        self.audit.check().map_err(|error| value("audit", error))?;
        self.check_addresses()?;
        if self.realm.is_empty() || self.realm.len() > REALM_BYTES_MAX {
            return Err(value("realm", format!("expected 1 to {REALM_BYTES_MAX} bytes, got {}", self.realm.len())));
        }
        self.check_issuers()?;
        self.check_credentials()?;
        Loaded::read(self.clone())?.parse().map(drop)
    }

    fn check_addresses(&self) -> Result<(), ConfigError> {
        let proxy = if self.behind_proxy { Proxy::InFront } else { Proxy::None };
        if self.tls.is_none() {
            check_plain_http(self.listen, proxy).map_err(|error| value("listen", error))?;
        }
        check_plain_http(self.metrics.listen, proxy).map_err(|error| value("metrics.listen", error))?;
        if self.metrics.listen == self.listen && self.listen.port() != 0 {
            let reason = format!("expected another address than listen, got {} for both", self.listen);
            return Err(value("metrics.listen", reason));
        }
        if self.public_url.is_none() && self.listen.ip().is_unspecified() {
            let reason = format!(
                "is missing; nobody reaches {}, so say at which URL workloads and services reach the broker",
                self.listen
            );
            return Err(value("public_url", reason));
        }
        Ok(())
    }

    fn check_issuers(&self) -> Result<(), ConfigError> {
        if self.issuers.is_empty() || self.issuers.len() > ISSUERS_MAX {
            return Err(value("issuers", format!("expected 1 to {ISSUERS_MAX} issuers, got {}", self.issuers.len())));
        }
        let mut seen: Vec<Issuer> = Vec::new();
        for (name, issuer) in &self.issuers {
            let key = || format!("issuers.{name}");
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
                let reason =
                    format!("expected a name of 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores and dots");
                return Err(value(key(), reason));
            }
            issuer.check(name, &self.audience)?;
            let issuer = issuer.issuer_name(name)?;
            if seen.contains(&issuer) {
                return Err(value(key(), format!("expected each issuer once, got {issuer} more than once")));
            }
            self.check_not_own(&key(), &issuer, self.listen)?;
            seen.push(issuer);
        }
        Ok(())
    }

    /// What the broker signs is for others. If it took it back, whoever may have one credential could trade it for another.
    pub(crate) fn check_not_own(&self, key: &str, issuer: &Issuer, address: SocketAddr) -> Result<(), ConfigError> {
        let own = self.own_issuer(address)?;
        let same = |text: &str| text.trim_end_matches('/').eq_ignore_ascii_case(own.as_str());
        if same(issuer.as_str()) {
            return Err(value(key, format!("expected another issuer than the broker itself, got {issuer}")));
        }
        Ok(())
    }

    fn check_credentials(&self) -> Result<(), ConfigError> {
        let count = |key: &str, max: usize, got: usize| {
            if got > max { Err(value(key, format!("expected at most {max}, got {got}"))) } else { Ok(()) }
        };
        count("providers", PROVIDERS_MAX, self.providers.len())?;
        count("credentials", CREDENTIALS_MAX, self.credentials.len())?;
        for (name, credential) in &self.credentials {
            let path = format!("credentials.{name}");
            credential.check(&path)?;
            if !self.providers.contains_key(&credential.provider) {
                let reason = format!("expected the name of one of `providers`, got {:?}", credential.provider.as_str());
                return Err(value(format!("{path}.provider"), reason));
            }
        }
        Ok(())
    }
}

pub(super) fn in_range(key: &str, bounds: RangeInclusive<u32>, got: u32) -> Result<(), ConfigError> {
    if bounds.contains(&got) { Ok(()) } else { Err(ConfigError::Range { key: key.to_owned(), bounds, got }) }
}

pub(crate) fn value(key: impl Into<String>, reason: impl ToString) -> ConfigError {
    ConfigError::Value { key: key.into(), reason: reason.to_string() }
}
