// SPDX-License-Identifier: Apache-2.0
//! Rules about single claims, written as short texts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A rule about one claim.
///
/// ```text
/// rule    = claim                     the claim is there, and is not null
///         / claim "=" value *( "|" value )   the claim is one of these values
///         / claim "^=" value *( "|" value )  the claim is a text that starts with one of these
/// claim   = name                      a claim of the token, such as salad_workload_name
///         / pointer                   a JSON pointer (RFC 6901) into one, such as /kubernetes.io/namespace
/// value   = 1*( character / "\|" / "\\" )
/// ```
///
/// A text claim matches the value that it equals, case and spaces included; a number or `true` and `false` match what
/// JSON writes for them; a list matches if one of its items does. Objects and null match nothing.
///
/// A beginning ought to end where a part of the claim ends: `sub^=repo:acme` is true of `repo:acme-evil/x`, too; `sub^=repo:acme/`
/// is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimRule {
    text: String,
    claim: ClaimPath,
    expected: Expected,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Present,
    OneOf(Vec<String>),
    StartsWith(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ClaimPath {
    Name(String),
    Pointer(String),
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimRuleError {
    /// Longer than [`ClaimRule::BYTES_MAX`].
    #[error("expected a claim rule of at most {max} bytes, got {0}", max = ClaimRule::BYTES_MAX)]
    TooLong(usize),
    /// Nothing before the equals sign, or spaces around it.
    #[error("expected a claim's name first, as in salad_workload_name=worker, without spaces around it")]
    Claim,
    /// Nothing between two bars, or after the equals sign.
    #[error("expected a value, got none; leave the equals sign out to ask only that the claim is there")]
    ValueMissing,
    /// A backslash before something other than a bar or a backslash.
    #[error(r"expected \| or \\ after a backslash in a value")]
    Escape,
}

impl ClaimRule {
    /// Longest rule.
    pub const BYTES_MAX: usize = 4_096;

    /// The rule as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the claim, or the pointer into it.
    #[must_use]
    pub fn claim(&self) -> &str {
        match &self.claim {
            ClaimPath::Name(text) | ClaimPath::Pointer(text) => text,
        }
    }

    /// The values that the claim may have, unescaped: an empty list if it only has to be there, `None` if the rule says how a
    /// value begins.
    #[must_use]
    pub fn exact_values(&self) -> Option<&[String]> {
        match &self.expected {
            Expected::Present => Some(&[]),
            Expected::OneOf(values) => Some(values),
            Expected::StartsWith(_) => None,
        }
    }

    /// Whether these claims satisfy the rule.
    #[must_use]
    pub fn matches(&self, claims: &Map<String, Value>) -> bool {
        match self.find(claims) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) if self.expected != Expected::Present => {
                items.iter().any(|item| self.expected.is_met_by(item))
            }
            Some(value) => self.expected.is_met_by(value),
        }
    }

    /// What the claims say there, whatever the rule asks of it.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        match &self.claim {
            ClaimPath::Name(name) => claims.get(name),
            ClaimPath::Pointer(pointer) => {
                let (first, rest) = split_pointer(pointer);
                claims.get(&first)?.pointer(rest)
            }
        }
    }
}

impl Expected {
    fn is_met_by(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Present, _) => true,
            (Self::OneOf(values), Value::String(text)) => values.contains(text),
            (Self::OneOf(values), Value::Number(number)) => values.contains(&number.to_string()),
            (Self::OneOf(values), Value::Bool(flag)) => {
                values.iter().any(|value| value == if *flag { "true" } else { "false" })
            }
            (Self::StartsWith(starts), Value::String(text)) => starts.iter().any(|start| text.starts_with(start)),
            (Self::OneOf(_) | Self::StartsWith(_), _) => false,
        }
    }
}

/// The first step of a pointer, unescaped, and the rest of it.
fn split_pointer(pointer: &str) -> (String, &str) {
    let steps = pointer.strip_prefix('/').unwrap_or(pointer);
    let (first, rest) = steps.split_at(steps.find('/').unwrap_or(steps.len()));
    (first.replace("~1", "/").replace("~0", "~"), rest)
}

fn split_values(text: &str) -> Result<Vec<String>, ClaimRuleError> {
    let mut values = Vec::new();
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next() {
            Some('\\') => match characters.next() {
                Some(escaped @ ('\\' | '|')) => value.push(escaped),
                _ => return Err(ClaimRuleError::Escape),
            },
            Some(character) if character != '|' => value.push(character),
            _ if value.is_empty() => return Err(ClaimRuleError::ValueMissing),
            end => {
                values.push(std::mem::take(&mut value));
                if end.is_none() {
                    return Ok(values);
                }
            }
        }
    }
}

impl TryFrom<String> for ClaimRule {
    type Error = ClaimRuleError;
    fn try_from(text: String) -> Result<Self, ClaimRuleError> {
        if text.len() > Self::BYTES_MAX {
            return Err(ClaimRuleError::TooLong(text.len()));
        }
        let (claim, expected) = match text.split_once('=') {
            Some((claim, values)) => match claim.strip_suffix('^') {
                Some(claim) => (claim, Expected::StartsWith(split_values(values)?)),
                None => (claim, Expected::OneOf(split_values(values)?)),
            },
            None => (text.as_str(), Expected::Present),
        };
        if claim.is_empty() || claim == "/" || claim.trim() != claim {
            return Err(ClaimRuleError::Claim);
        }
        let claim = claim.to_owned();
        let claim = if claim.starts_with('/') { ClaimPath::Pointer(claim) } else { ClaimPath::Name(claim) };
        Ok(Self { text, claim, expected })
    }
}

impl FromStr for ClaimRule {
    type Err = ClaimRuleError;
    fn from_str(text: &str) -> Result<Self, ClaimRuleError> {
        Self::try_from(text.to_owned())
    }
}

impl From<ClaimRule> for String {
    fn from(rule: ClaimRule) -> Self {
        rule.text
    }
}

impl fmt::Display for ClaimRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: &str = r#"{
        "group":"worker", "a b":"c d", "count":3, "ratio":1.5, "on":true, "off":false, "nothing":null, "empty":"",
        "roles":["reader","writer",7,["inner"]], "object":{"x":1}, "none":[], "bar":"a|b\\c",
        "kubernetes.io":{"namespace":"prod","pods":[{"name":"p-0"}]}, "https://example.com/role":"admin"
    }"#;

    #[test]
    fn rules_match_claims() {
        let claims = serde_json::from_str(CLAIMS).unwrap();
        for (rule, matches) in [
            ("group", true),
            ("group=worker", true),
            ("group=Worker", false),
            ("group= worker", false),
            ("group=work", false),
            ("group=builder|worker", true),
            ("group=builder|tester", false),
            ("a b=c d", true),
            ("count=3", true),
            ("count=3.0", false),
            ("ratio=1.5", true),
            ("on=true", true),
            ("off", true),
            ("off=false", true),
            ("off=true", false),
            ("nothing", false),
            ("nothing=null", false),
            ("empty", true),
            ("absent", false),
            ("absent=x", false),
            ("roles=writer", true),
            ("roles=7", true),
            ("roles=inner", false),
            ("roles=admin", false),
            ("object", true),
            ("object=x", false),
            ("none", true),
            ("none=x", false),
            (r"bar=a\|b\\c", true),
            ("/kubernetes.io/namespace=prod", true),
            ("/kubernetes.io/namespace=test|prod", true),
            ("/kubernetes.io/pods/0/name=p-0", true),
            ("/kubernetes.io/pods/1/name", false),
            ("/kubernetes.io", true),
            ("/https:~1~1example.com~1role=admin", true),
            ("https://example.com/role=admin", true),
            ("/group=worker", true),
            ("kubernetes.io.namespace", false),
            ("group^=work", true),
            ("group^=worker", true),
            ("group^=build|work", true),
            ("group^=workers", false),
            ("group^=Work", false),
            ("group^=orker", false),
            ("roles^=wri", true),
            ("roles^=7", false),
            ("roles^=inn", false),
            ("count^=3", false),
            ("on^=t", false),
            ("empty^=x", false),
            ("absent^=x", false),
            ("/kubernetes.io/pods/0/name^=p-", true),
            ("a^b", false),
        ] {
            assert_eq!(rule.parse::<ClaimRule>().unwrap().matches(&claims), matches, "{rule}");
        }
    }

    #[test]
    fn texts_that_are_no_rules_are_refused() {
        for (text, error) in [
            ("", ClaimRuleError::Claim),
            ("=x", ClaimRuleError::Claim),
            ("/", ClaimRuleError::Claim),
            (" a=x", ClaimRuleError::Claim),
            ("a =x", ClaimRuleError::Claim),
            ("a=", ClaimRuleError::ValueMissing),
            ("a=|x", ClaimRuleError::ValueMissing),
            ("a=x|", ClaimRuleError::ValueMissing),
            ("a=x||y", ClaimRuleError::ValueMissing),
            ("a^=", ClaimRuleError::ValueMissing),
            ("^=x", ClaimRuleError::Claim),
            ("a ^=x", ClaimRuleError::Claim),
            (r"a=x\", ClaimRuleError::Escape),
            (r"a=\n", ClaimRuleError::Escape),
        ] {
            assert_eq!(text.parse::<ClaimRule>(), Err(error), "{text:?}");
        }
        assert_eq!(format!("a={}", "x".repeat(5_000)).parse::<ClaimRule>(), Err(ClaimRuleError::TooLong(5_002)));
    }

    #[test]
    fn a_rule_is_serialized_as_it_was_written() {
        let rule: ClaimRule = serde_json::from_str(r#""group=a|b""#).unwrap();
        assert_eq!(rule.claim(), "group");
        assert_eq!(serde_json::to_string(&rule).unwrap(), r#""group=a|b""#);
    }
}
