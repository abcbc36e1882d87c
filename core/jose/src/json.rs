// SPDX-License-Identifier: Apache-2.0
//! JSON objects in which no member is repeated.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a parser take the last of repeated members or refuse them. Two parsers
//! that choose differently read two different tokens from the same signed bytes, so they are refused here.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// Bytes that are no acceptable JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, not UTF-8, nested beyond 128 levels, not an object, or followed by something else.
    #[error("expected one JSON object and nothing else")]
    Malformed,
    /// A member of the object stands there twice.
    #[error("expected each member once, got {0:?} more than once")]
    Repeated(String),
}

/// Parses one JSON object whose members are all different.
///
/// # Errors
/// [`JsonError`] if the bytes are anything else.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer
        .deserialize_map(ObjectVisitor { repeated: &mut repeated })
        .and_then(|object| deserializer.end().map(|()| object))
        .map_err(|_| repeated.map_or(JsonError::Malformed, JsonError::Repeated))
}

struct ObjectVisitor<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value::<Value>()?;
            match object.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(entry) => {
                    *self.repeated = Some(shown(entry.key()));
                    return Err(A::Error::custom("repeated member"));
                }
            }
        }
        Ok(object)
    }
}

/// As much of a stranger's text as an error message may carry.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_strict() {
        assert_eq!(parse_object(br#" {"a":1,"b":{"a":[1,{"a":null}]}} "#).unwrap().len(), 2);
        assert_eq!(parse_object(br#"{"a":1,"b":2,"a":1}"#), Err(JsonError::Repeated("a".into())));
        assert_eq!(parse_object(br#"{"a":1,"\u0061":1}"#), Err(JsonError::Repeated("a".into())));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let bad: [&[u8]; 12] = [
            b"",
            b"[]",
            b"null",
            b"\"{}\"",
            b"{",
            b"{}{}",
            b"{} x",
            b"{\"a\":1,}",
            b"{\"a\":01}",
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            deep.as_bytes(),
        ];
        for bytes in bad {
            assert_eq!(parse_object(bytes), Err(JsonError::Malformed), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
