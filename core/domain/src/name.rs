// SPDX-License-Identifier: Apache-2.0
//! Names of one pattern: those that tenants choose for organizations, projects and container groups, and those that the broker's
//! operator chooses for providers and credentials.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_BYTES_MAX;

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a name of 2 to 63 characters: lower-case letters, digits and hyphens, a letter first, no hyphen last"
)]
pub struct NameError;

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    (2..=NAME_BYTES_MAX).contains(&bytes.len())
        && first.is_ascii_lowercase()
        && *last != b'-'
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                if is_name(&text) { Ok(Self(text)) } else { Err(NameError) }
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A tenant's name for what is its own, of the form `^[a-z][a-z0-9-]{0,61}[a-z0-9]$`: 2 to 63 characters.
    Name;
    /// The operator's name for a system that the broker makes credentials for. The form is that of a [`Name`].
    ProviderName;
    /// The operator's name for what the broker gives out. The form is that of a [`Name`].
    CredentialName;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_platforms_pattern() {
        for good in ["ab", "rxlab", "rxlab-demo-jwt-authentication", "a1", "a--b", &"a".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a", "1a", "-ab", "ab-", "Ab", "a_b", "a.b", "ä1", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was accepted");
        }
    }
}
