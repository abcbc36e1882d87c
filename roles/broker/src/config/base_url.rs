// SPDX-License-Identifier: Apache-2.0
//! The URL that the paths of the API follow.

use std::str::FromStr;

use cress_domain::Issuer;
use serde::Deserialize;

/// An http or https URL without query, fragment and slash at its end: what the broker signs names it as the issuer, and services append
/// the path of the discovery document to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(Issuer);

/// A text that is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an http or https URL without user, query, fragment and slash at its end, such as https://broker.example"
)]
pub struct BaseUrlError;

impl BaseUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;
    fn try_from(text: String) -> Result<Self, BaseUrlError> {
        let issuer: Issuer = text.parse().map_err(|_| BaseUrlError)?;
        if text.ends_with('/') || text.contains('@') { Err(BaseUrlError) } else { Ok(Self(issuer)) }
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;
    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        Self::try_from(text.to_owned())
    }
}
