// SPDX-License-Identifier: Apache-2.0
//! The issuer of a token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::ISSUER_BYTES_MAX;

/// Who signed a token (`iss`, RFC 7519 section 4.1.1): an http or https URL without query or fragment
/// (OpenID Connect Discovery 1.0, section 3), compared as text and never normalised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

/// A text that is no issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an http or https URL of at most {ISSUER_BYTES_MAX} characters without query or fragment as the issuer"
)]
pub struct IssuerError;

impl Issuer {
    /// The issuer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Issuer {
    type Error = IssuerError;
    fn try_from(text: String) -> Result<Self, IssuerError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host_present = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\');
        if host_present && text.len() <= ISSUER_BYTES_MAX && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(IssuerError)
        }
    }
}

impl FromStr for Issuer {
    type Err = IssuerError;
    fn from_str(text: &str) -> Result<Self, IssuerError> {
        Self::try_from(text.to_owned())
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_plain_urls() {
        for good in ["https://matrix-api.salad.io", "http://127.0.0.1:8420", "https://host/path/"] {
            assert!(good.parse::<Issuer>().is_ok(), "{good:?} was refused");
        }
        for bad in [
            "",
            "matrix-api.salad.io",
            "https://",
            "https:///x",
            "ftp://host",
            "https://h?q",
            "https://h#f",
            "https://h h",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad:?} was accepted");
        }
    }
}
