// SPDX-License-Identifier: Apache-2.0
//! How long a token lives.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{TOKEN_TTL_SECONDS_DEFAULT, TOKEN_TTL_SECONDS_MAX, TOKEN_TTL_SECONDS_MIN};

/// A token's life: 60 s to 1 h, 300 s by default as on the reference platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct TokenTtl(u32);

/// A life outside the bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a token life of {TOKEN_TTL_SECONDS_MIN} to {TOKEN_TTL_SECONDS_MAX} seconds, got {seconds}")]
pub struct TokenTtlError {
    seconds: u32,
}

impl TokenTtl {
    /// Whole seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl Default for TokenTtl {
    fn default() -> Self {
        Self(TOKEN_TTL_SECONDS_DEFAULT)
    }
}

impl TryFrom<u32> for TokenTtl {
    type Error = TokenTtlError;
    fn try_from(seconds: u32) -> Result<Self, TokenTtlError> {
        if (TOKEN_TTL_SECONDS_MIN..=TOKEN_TTL_SECONDS_MAX).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(TokenTtlError { seconds })
        }
    }
}

impl From<TokenTtl> for u32 {
    fn from(ttl: TokenTtl) -> Self {
        ttl.0
    }
}

impl fmt::Display for TokenTtl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} s", self.0)
    }
}
