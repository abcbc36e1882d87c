// SPDX-License-Identifier: Apache-2.0
//! Problem details for HTTP APIs (RFC 9457), with the members of the reference platform.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error as a client sees it. Never put a token, a secret or a caller's body into one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Absolute URL of the problem's description.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// The status in words; the same for each problem of one code.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What was expected, what came, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// Identifies this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Cow<'static, str>>,
    /// Short, kebab-case, at most 100 characters: what programs match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'static, str>>,
    /// Property name to messages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, Vec<String>>,
}

impl Problem {
    /// A problem with a code; see the `with_` methods for the rest.
    #[must_use]
    pub fn new(status: u16, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: None,
            title: Cow::Borrowed(title),
            status,
            detail: None,
            instance: None,
            code: Some(Cow::Borrowed(code)),
            errors: BTreeMap::new(),
        }
    }

    /// Adds what was expected, what came, and what to do.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a message about one property of the body.
    #[must_use]
    pub fn with_error(mut self, property: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.entry(property.into()).or_default().push(message.into());
        self
    }

    /// The body. A problem has only text members, so that writing it cannot fail.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.detail.as_deref().unwrap_or(&self.title))?;
        for (property, messages) in &self.errors {
            write!(formatter, "; {property}: {}", messages.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_members_are_left_out() {
        let problem = Problem::new(404, "not-found", "Not Found").with_error("name", "expected a name");
        assert_eq!(
            String::from_utf8(problem.to_json()).unwrap(),
            r#"{"title":"Not Found","status":404,"code":"not-found","errors":{"name":["expected a name"]}}"#
        );
        assert_eq!(serde_json::from_slice::<Problem>(&problem.to_json()).unwrap(), problem);
    }
}
