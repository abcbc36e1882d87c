// SPDX-License-Identifier: Apache-2.0
//! Whom to trust, and how much to remember.

use std::time::Duration;

use cress_domain::Issuer;
use cress_token::Rules;

use crate::{KeySource, RemoteKeysError, ReplayWindow};

/// How long keys are trusted without having been confirmed by their source, unless something else is said.
pub const KEYS_AGE_MAX_DEFAULT: Duration = Duration::from_secs(24 * 3_600);
/// Longest time for which keys can be trusted without having been confirmed.
pub const KEYS_AGE_MAX_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Most issuers of one verifier.
pub const ISSUERS_MAX: usize = 256;

/// An issuer, the rules that its tokens must satisfy, and where its keys come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrustedIssuer {
    /// What its tokens must satisfy.
    pub rules: Rules,
    /// Where its keys come from.
    pub keys: KeySource,
    /// For how long the keys are trusted while their source is away: [`KEYS_AGE_MAX_DEFAULT`] unless something else is said.
    /// A key that is revoked meanwhile is trusted for as long.
    pub keys_age_max: Duration,
}

/// How much to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Verified tokens that are remembered, in units of a kilobyte each: 10,000 by default, none with 0.
    pub cached_tokens_max: usize,
    /// Whether a token passes once only; off by default. With it nothing is cached: each token is checked when it comes.
    pub replay_window: Option<ReplayWindow>,
}

/// Settings that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Nobody to trust.
    #[error("expected at least one issuer, got none")]
    NoIssuer,
    /// More than [`ISSUERS_MAX`].
    #[error("expected at most {ISSUERS_MAX} issuers, got {0}")]
    TooManyIssuers(usize),
    /// Two sets of rules for one issuer: which of them holds would be chance.
    #[error("expected each issuer once, got {0} more than once")]
    RepeatedIssuer(Issuer),
    /// An age of zero or beyond [`KEYS_AGE_MAX_MAX`].
    #[error(
        "expected keys to be trusted for 1 to {} seconds without being confirmed, got {}",
        KEYS_AGE_MAX_MAX.as_secs(), .0.as_secs()
    )]
    KeysAge(Duration),
    /// A source that cannot work.
    #[error(transparent)]
    Source(#[from] RemoteKeysError),
    /// No Tokio runtime, in which the keys are kept fresh.
    #[error("expected to be called within a Tokio runtime")]
    NoRuntime,
}

impl TrustedIssuer {
    /// An issuer whose keys are trusted for [`KEYS_AGE_MAX_DEFAULT`] while their source is away.
    #[must_use]
    pub fn new(rules: Rules, keys: impl Into<KeySource>) -> Self {
        Self { rules, keys: keys.into(), keys_age_max: KEYS_AGE_MAX_DEFAULT }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { cached_tokens_max: 10_000, replay_window: None }
    }
}

pub(crate) fn check(issuers: &[TrustedIssuer]) -> Result<(), SettingsError> {
    if issuers.is_empty() {
        return Err(SettingsError::NoIssuer);
    }
    if issuers.len() > ISSUERS_MAX {
        return Err(SettingsError::TooManyIssuers(issuers.len()));
    }
    let mut names: Vec<&Issuer> = issuers.iter().map(|issuer| &issuer.rules.issuer).collect();
    names.sort_unstable();
    let repeated = names.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some((*first).clone()),
        _ => None,
    });
    if let Some(issuer) = repeated {
        return Err(SettingsError::RepeatedIssuer(issuer));
    }
    let allowed = Duration::from_secs(1)..=KEYS_AGE_MAX_MAX;
    match issuers.iter().find(|issuer| !allowed.contains(&issuer.keys_age_max)) {
        Some(issuer) => Err(SettingsError::KeysAge(issuer.keys_age_max)),
        None => Ok(()),
    }
}
