// SPDX-License-Identifier: Apache-2.0
//! The rules of the configuration that its types do not carry. Opens no socket; reads the files that it names.

use std::ops::RangeInclusive;

use cress_service::tls::{Proxy, TlsError, check_plain_http};

use super::{Config, Loaded};
use crate::rules::RuleSet;

const DRAIN_SECONDS: RangeInclusive<u32> = 0..=600;
/// As many as the verifier remembers at most.
const CACHED_TOKENS: RangeInclusive<u32> = 0..=10_000_000;
/// A request is held against the rules one by one.
const RULES_MAX: usize = 1_000;
const REALM_BYTES_MAX: usize = 128;
/// Longest name of an issuer or a rule: it is a label of metrics.
const NAME_BYTES_MAX: usize = 64;
const FIELD_BYTES_MAX: usize = 128;

/// A configuration that cannot work; each is one sentence that names the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number beyond its bounds.
    #[error("{key}: expected {} to {}, got {got}", bounds.start(), bounds.end())]
    Range {
        /// The key.
        key: &'static str,
        /// What it may be.
        bounds: RangeInclusive<u32>,
        /// What it is.
        got: u32,
    },
    /// A value that its key does not take.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was expected and what came.
        reason: String,
    },
    /// An issuer that cannot be.
    #[error("issuer {name:?}: {reason}")]
    Issuer {
        /// Its name.
        name: String,
        /// What was expected and what came.
        reason: String,
    },
    /// A rule that cannot be.
    #[error("rule {name:?}: {reason}")]
    Rule {
        /// Its name.
        name: String,
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
    /// A header that cannot go out.
    #[error("header {name:?}: {reason}")]
    Header {
        /// Its name.
        name: String,
        /// What was expected and what came.
        reason: String,
    },
    /// Plain HTTP where others could listen.
    #[error("listen: {0}")]
    PlainHttp(#[from] TlsError),
}

impl Config {
    /// Checks the whole, the files that it names included.
    ///
    /// # Errors
    /// [`ConfigError`], the first that is found.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("drain_seconds", DRAIN_SECONDS, self.drain_seconds)?;
        in_range("cached_tokens_max", CACHED_TOKENS, self.cached_tokens_max)?;
        self.limits.check()?;
        let proxy = if self.behind_proxy { Proxy::InFront } else { Proxy::None };
        if self.tls.is_none() {
            check_plain_http(self.listen, proxy)?;
            self.grpc.listen.map_or(Ok(()), |address| check_plain_http(address, proxy))?;
        }
        check_plain_http(self.metrics.listen, proxy)?;
        if self.realm.is_empty() || self.realm.len() > REALM_BYTES_MAX {
            return Err(value("realm", format!("expected 1 to {REALM_BYTES_MAX} bytes, got {}", self.realm.len())));
        }
        self.check_token()?;
        self.check_names()?;
        for issuer in &self.issuers {
            issuer.trusted()?;
        }
        RuleSet::compile(&Loaded::read(self.clone())?)?;
        Ok(())
    }

    fn check_token(&self) -> Result<(), ConfigError> {
        match (&self.token.header, &self.token.body_field) {
            (Some(_), Some(_)) => Err(value("token", "expected either `header` or `body_field`, got both".to_owned())),
            (Some(header), None) if http::HeaderName::try_from(header).is_err() => {
                Err(value("token.header", format!("expected the name of a header, got {header:?}")))
            }
            (None, Some(field)) if field.is_empty() || field.len() > FIELD_BYTES_MAX => {
                Err(value("token.body_field", format!("expected 1 to {FIELD_BYTES_MAX} bytes, got {}", field.len())))
            }
            _ => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), ConfigError> {
        let wrong = |name: &str, reason: String| ConfigError::Issuer { name: name.to_owned(), reason };
        if self.issuers.is_empty() {
            return Err(value("issuers", "expected at least one issuer, got none".to_owned()));
        }
        if self.rules.is_empty() {
            return Err(value("rules", "expected at least one rule, got none: nothing would pass".to_owned()));
        }
        if self.rules.len() > RULES_MAX {
            return Err(value("rules", format!("expected at most {RULES_MAX} rules, got {}", self.rules.len())));
        }
        names(self.issuers.iter().map(|issuer| issuer.name.as_str()), wrong)?;
        let wrong = |name: &str, reason: String| ConfigError::Rule { name: name.to_owned(), reason };
        names(self.rules.iter().map(|rule| rule.name.as_str()), wrong)
    }
}

/// Names are 1 to 64 letters, digits, `-`, `_` and `.`, each there once.
fn names<'a>(
    names: impl Iterator<Item = &'a str>,
    wrong: impl Fn(&str, String) -> ConfigError,
) -> Result<(), ConfigError> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
            return Err(wrong(
                name,
                format!("expected a name of 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores and dots"),
            ));
        }
        if seen.contains(&name) {
            return Err(wrong(name, "expected each name once, got it more than once".to_owned()));
        }
        seen.push(name);
    }
    Ok(())
}

pub(super) fn in_range(key: &'static str, bounds: RangeInclusive<u32>, got: u32) -> Result<(), ConfigError> {
    if bounds.contains(&got) { Ok(()) } else { Err(ConfigError::Range { key, bounds, got }) }
}

fn value(key: &'static str, reason: String) -> ConfigError {
    ConfigError::Value { key, reason }
}
