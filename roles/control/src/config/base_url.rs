// SPDX-License-Identifier: Apache-2.0
//! The URL that clients' paths follow.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use url::Url;

/// An http or https URL without user, query, fragment and slash at its end, so that paths can follow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

/// A text that is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an http or https URL without user, query and fragment, such as https://control.example")]
pub struct BaseUrlError;

impl BaseUrl {
    /// The URL as text; no slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;
    fn try_from(text: String) -> Result<Self, BaseUrlError> {
        let url = Url::parse(&text).ok().filter(is_base).ok_or(BaseUrlError)?;
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;
    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
