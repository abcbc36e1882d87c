// SPDX-License-Identifier: Apache-2.0
//! Bodies that callers send: typed, bounded, in time, and strict JSON.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{self, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::limits::BODY_BYTES_MAX;
use super::refusal::{Property, Refusal};

/// Whether the head announces a body that the service takes. Checked before a byte of it is asked for.
pub(super) fn check_head(headers: &HeaderMap) -> Result<(), Refusal> {
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::LengthRequired);
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(media_type), None)
            if is_json(media_type.as_bytes()) && !headers.contains_key(header::CONTENT_ENCODING) =>
        {
            Ok(())
        }
        _ => Err(Refusal::MediaTypeNotSupported),
    }
}

/// `application/json`, at most with the charset that JSON has anyway (RFC 8259 section 8.1), which some clients add.
fn is_json(media_type: &[u8]) -> bool {
    let mut parts = media_type.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"application/json"));
    let charset = parts.next().is_none_or(|parameter| {
        parameter.eq_ignore_ascii_case(b"charset=utf-8") || parameter.eq_ignore_ascii_case(b"charset=\"utf-8\"")
    });
    json && charset && parts.next().is_none()
}

/// Reads a body to its end.
pub(super) async fn read(body: Incoming, time: Duration) -> Result<Vec<u8>, Refusal> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    tokio::time::timeout(time, read_bounded(body)).await.unwrap_or(Err(Refusal::BodyTimeout))
}

async fn read_bounded(mut body: Incoming) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Refusal::BodyIncomplete)?.into_data().unwrap_or_else(|_trailers| Bytes::new());
        if bytes.len() + data.remaining() > BODY_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// No bytes, or the empty object that some published clients (PyPI 0.9.0a6) send with calls that have no body.
pub(super) fn nothing(body: &[u8]) -> Result<(), Refusal> {
    let is_nothing = body.is_empty() || serde_json::from_slice(body).is_ok_and(|Members(members)| members.is_empty());
    if is_nothing { Ok(()) } else { Err(Refusal::BodyNotAllowed) }
}

const DELETION_COST: &str = "deletion_cost";

/// `{"deletion_cost": int32}` and nothing else.
pub(super) fn deletion_cost(body: &[u8]) -> Result<i32, Refusal> {
    let refused = |name: &str, message: &str| Refusal::BodyInvalid(vec![Property::new(name, message)]);
    let Members(members) =
        serde_json::from_slice(body).map_err(|_| refused("$", "expected one JSON object in UTF-8 (RFC 8259)"))?;
    if let Some((name, _)) = members.iter().find(|(name, _)| name != DELETION_COST) {
        return Err(refused(name, "unknown property; leave it out"));
    }
    match members.as_slice() {
        [] => Err(refused(DELETION_COST, "expected this property")),
        [(_, value)] => value
            .as_i64()
            .and_then(|cost| i32::try_from(cost).ok())
            .ok_or_else(|| refused(DELETION_COST, "expected an integer from -2147483648 to 2147483647")),
        _ => Err(refused(DELETION_COST, "expected this property once")),
    }
}

/// An object's members as they came: a map would drop all but the last of several with one name, and which one counts is
/// what parsers disagree on.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn media_types_are_exact() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json; charset=\"utf-8\"",
        ] {
            assert!(is_json(good.as_bytes()), "{good:?} was refused");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/problem+json",
            "application/json; charset=latin-1",
            "application/json; charset=utf-8; x=y",
            "application/json, text/plain",
            "application/json;",
        ] {
            assert!(!is_json(bad.as_bytes()), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_head_must_announce_exactly_one_json_body() {
        let head = |headers: &[(&'static str, &'static str)]| {
            check_head(
                &headers
                    .iter()
                    .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .fold(HeaderMap::new(), |mut map, (name, value)| {
                        map.append(name, value);
                        map
                    }),
            )
        };
        let json = ("content-type", "application/json");
        let length = ("content-length", "2");
        assert_eq!(head(&[length, json]), Ok(()));
        assert_eq!(head(&[("transfer-encoding", "chunked"), json]), Ok(()));
        assert_eq!(head(&[json]), Err(Refusal::LengthRequired));
        assert_eq!(head(&[length]), Err(Refusal::MediaTypeNotSupported));
        assert_eq!(head(&[length, json, json]), Err(Refusal::MediaTypeNotSupported));
        assert_eq!(head(&[length, json, ("content-encoding", "gzip")]), Err(Refusal::MediaTypeNotSupported));
    }

    #[test]
    fn nothing_is_no_bytes_or_an_empty_object() {
        for good in ["", "{}", " { } "] {
            assert_eq!(nothing(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in [" ", "null", "[]", "\"\"", r#"{"x":1}"#, "{}{}", "{"] {
            assert_eq!(nothing(bad.as_bytes()), Err(Refusal::BodyNotAllowed), "{bad:?}");
        }
    }

    #[test]
    fn a_deletion_cost_is_one_int32() {
        for (body, cost) in [
            (r#"{"deletion_cost":0}"#, 0),
            (" {\n\"deletion_cost\" : -2147483648 } ", i32::MIN),
            (r#"{"deletion_cost":2147483647}"#, i32::MAX),
            (r#"{"deletion\u005fcost":7}"#, 7),
        ] {
            assert_eq!(deletion_cost(body.as_bytes()), Ok(cost), "{body}");
        }
        for (body, property) in [
            ("", "$"),
            ("7", "$"),
            ("[]", "$"),
            ("null", "$"),
            ("{", "$"),
            (r#"{"deletion_cost":1}x"#, "$"),
            (r#"{"deletion_cost":01}"#, "$"),
            ("{\"\u{0}\":1}", "$"),
            ("{}", "deletion_cost"),
            (r#"{"deletion_cost":2147483648}"#, "deletion_cost"),
            (r#"{"deletion_cost":-2147483649}"#, "deletion_cost"),
            (r#"{"deletion_cost":1.0}"#, "deletion_cost"),
            (r#"{"deletion_cost":"1"}"#, "deletion_cost"),
            (r#"{"deletion_cost":null}"#, "deletion_cost"),
            (r#"{"deletion_cost":1,"deletion_cost":1}"#, "deletion_cost"),
            (r#"{"deletion_cost":1,"deletion\u005fcost":2}"#, "deletion_cost"),
            (r#"{"deletion_cost":1,"x":1}"#, "x"),
            (r#"{"x":{"deletion_cost":1}}"#, "x"),
        ] {
            match deletion_cost(body.as_bytes()) {
                Err(Refusal::BodyInvalid(properties)) => assert_eq!(properties[0].name, property, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        assert!(deletion_cost(&[b'['; BODY_BYTES_MAX]).is_err());
        assert!(deletion_cost(b"{\"\xff\":1}").is_err());
    }
}
