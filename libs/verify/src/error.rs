// SPDX-License-Identifier: Apache-2.0
//! Why a token did not pass.

use std::time::Duration;

use cress_domain::Issuer;
use cress_token::Rejection;

use crate::FetchError;

/// Why a token did not pass: it is bad, or nobody can tell. Both are a denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token breaks a rule.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The token names none of several trusted issuers.
    #[error("expected a token of a trusted issuer, got one of {}", got.as_deref().map_or("none".to_owned(), |got| format!("{got:?}")))]
    IssuerUnknown {
        /// What the token says, cut.
        got: Option<String>,
    },
    /// The token has passed before, and tokens pass once here ([`crate::Settings::replay_window`]).
    #[error("expected a token that has not been used yet, got one that has")]
    Replayed,
    /// So many tokens have passed that another one could not be remembered until it expires.
    #[error("the replay window has no room for another token until some expire")]
    ReplayWindowFull,
    /// The issuer's keys have never been read.
    #[error("the keys of the issuer {issuer} could not be read yet: {reason}")]
    KeysUnavailable {
        /// Whose keys.
        issuer: Issuer,
        /// What went wrong at the last attempt.
        reason: FetchError,
    },
    /// The issuer's keys have not been confirmed for so long that they are no longer trusted.
    #[error(
        "the keys of the issuer {issuer} were last confirmed {} s ago, at most {} s are allowed: {reason}",
        age.as_secs(), max.as_secs()
    )]
    KeysTooOld {
        /// Whose keys.
        issuer: Issuer,
        /// Since when.
        age: Duration,
        /// What the settings allow.
        max: Duration,
        /// What went wrong at the last attempt.
        reason: FetchError,
    },
}

/// Longest text of a token that a message carries.
const SHOWN_CHARACTERS_MAX: usize = 64;

impl VerifyError {
    /// A stable name for metrics, answers and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::IssuerUnknown { .. } => "issuer-unknown",
            Self::Replayed => "token-replayed",
            Self::ReplayWindowFull => "replay-window-full",
            Self::KeysUnavailable { .. } => "keys-unavailable",
            Self::KeysTooOld { .. } => "keys-too-old",
        }
    }

    /// What to do about it, in plain words, for whoever runs the workload or the service.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.remedy(),
            Self::IssuerUnknown { .. } => {
                "send a token of a trusted issuer, or add the issuer; both must be equal to the letter, a trailing slash \
                 included"
            }
            Self::Replayed => "ask the issuer for a new token for each request",
            Self::ReplayWindowFull => {
                "send the token again in a while; whoever runs the service: make the replay window larger, or find out who sends \
                 so many tokens"
            }
            Self::KeysUnavailable { .. } | Self::KeysTooOld { .. } => {
                "make the issuer's key set reachable from the service; the token itself may be good, so send it again"
            }
        }
    }

    /// Whether the same token may pass in a while, with nothing changed about it.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::ReplayWindowFull | Self::KeysUnavailable { .. } | Self::KeysTooOld { .. })
    }

    pub(crate) fn issuer_unknown(got: Option<&str>) -> Self {
        Self::IssuerUnknown { got: got.map(shown) }
    }

    pub(crate) fn issuer_mismatch(expected: &Issuer, got: &str) -> Self {
        Self::Rejected(Rejection::IssuerMismatch { expected: expected.clone(), got: shown(got) })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS_MAX).collect()
}
