// SPDX-License-Identifier: Apache-2.0
//! The audience of a token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::OrganizationId;
use crate::limits::AUDIENCE_BYTES_MAX;

/// Whom a token is meant for (`aud`, RFC 7519 section 4.1.3): 1 to 255 printable ASCII characters without a space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);

/// A text that is no audience.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an audience of 1 to {AUDIENCE_BYTES_MAX} printable ASCII characters without spaces, quotes or backslashes"
)]
pub struct AudienceError;

impl Audience {
    /// The audience as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;
    fn try_from(text: String) -> Result<Self, AudienceError> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if (1..=AUDIENCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(AudienceError)
        }
    }
}

impl FromStr for Audience {
    type Err = AudienceError;
    fn from_str(text: &str) -> Result<Self, AudienceError> {
        Self::try_from(text.to_owned())
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.0
    }
}

impl From<OrganizationId> for Audience {
    fn from(organization: OrganizationId) -> Self {
        Self(organization.to_string())
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_are_printable_and_bounded() {
        for good in ["a", "https://broker.example/v1?x=y", &"a".repeat(255)] {
            assert!(good.parse::<Audience>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\n", &"a".repeat(256)] {
            assert!(bad.parse::<Audience>().is_err(), "{bad:?} was accepted");
        }
    }
}
