// SPDX-License-Identifier: Apache-2.0
//! Claims that a container group's definition adds to its tokens.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::EXTRA_CLAIMS_MAX;

/// Additional claims, name to value: at most [`EXTRA_CLAIMS_MAX`], names of 1 to 64 printable characters that neither
/// RFC 7519 nor the platform uses. How long they may be together follows from the token's length.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct ExtraClaims(Map<String, Value>);

/// Claims that may not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtraClaimsError {
    /// More than [`EXTRA_CLAIMS_MAX`].
    #[error("expected at most {EXTRA_CLAIMS_MAX} extra claims, got {0}")]
    TooMany(usize),
    /// A name that is empty, too long or not printable.
    #[error("expected claim names of 1 to {NAME_BYTES_MAX} letters, digits and ._:/- characters, got {0:?}")]
    Name(String),
    /// A name that already has a meaning.
    #[error(
        "the claim {0:?} is reserved; choose a name that no standard and no part of the token uses, such as team_{0}"
    )]
    Reserved(String),
    /// Objects and lists in objects and lists.
    #[error("the claim {0:?} is nested too deeply; use text, numbers, booleans, or one list or object of these")]
    Nested(String),
}

const NAME_BYTES_MAX: usize = 64;
const NESTING_MAX: usize = 2;

/// Names with a meaning of their own: RFC 7519, OpenID Connect Core, RFC 8693 and RFC 7800, which relying parties act upon.
const RESERVED: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "act",
    "may_act",
    "azp",
    "scope",
    "scp",
    "client_id",
    "cnf",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "events",
    "roles",
    "groups",
];
const RESERVED_PREFIX: &str = "salad_";

impl ExtraClaims {
    /// The claims.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

fn shown(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).collect()
}

impl TryFrom<Map<String, Value>> for ExtraClaims {
    type Error = ExtraClaimsError;
    fn try_from(claims: Map<String, Value>) -> Result<Self, ExtraClaimsError> {
        if claims.len() > EXTRA_CLAIMS_MAX {
            return Err(ExtraClaimsError::TooMany(claims.len()));
        }
        for (name, value) in &claims {
            let printable = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
            if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(printable) {
                return Err(ExtraClaimsError::Name(shown(name)));
            }
            if RESERVED.contains(&name.as_str()) || name.starts_with(RESERVED_PREFIX) {
                return Err(ExtraClaimsError::Reserved(name.clone()));
            }
            if depth(value) > NESTING_MAX {
                return Err(ExtraClaimsError::Nested(name.clone()));
            }
        }
        Ok(Self(claims))
    }
}

impl From<ExtraClaims> for Map<String, Value> {
    fn from(claims: ExtraClaims) -> Self {
        claims.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_malformed_claims_are_refused() {
        let parse = |text: &str| serde_json::from_str::<ExtraClaims>(text);
        assert!(parse(r#"{"team":"vision","cost-centre":42,"https://aws.amazon.com/tags":{"a":"b"}}"#).is_ok());
        for bad in [r#"{"aud":"x"}"#, r#"{"salad_team":"x"}"#, r#"{"":1}"#, r#"{"a b":1}"#, r#"{"a":[[["x"]]]}"#, "[]"]
        {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
    }
}
