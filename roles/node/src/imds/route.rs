// SPDX-License-Identifier: Apache-2.0
//! The table of paths and methods, and the query of the one call that has one.

use cress_api::imds;
use cress_domain::Audience;
use http::Method;
use http::request::Parts;

use super::refusal::{Property, Refusal};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Token(Option<Audience>),
    Status,
    Restart,
    DeletionCost,
    SetDeletionCost,
}

/// Finds the call; the head has passed the rules. `/v1/token`, asked most, comes first.
pub(super) fn find(head: &Parts) -> Result<Call, Refusal> {
    match head.uri.path() {
        imds::TOKEN => {
            only(head, &Method::GET, "GET")?;
            head.uri.query().map_or(Ok(None), audience).map(Call::Token).map_err(Refusal::QueryInvalid)
        }
        imds::STATUS => {
            only(head, &Method::GET, "GET")?;
            without_query(head, Call::Status)
        }
        imds::RESTART => {
            only(head, &Method::POST, "POST")?;
            without_query(head, Call::Restart)
        }
        imds::DELETION_COST if head.method == Method::GET => without_query(head, Call::DeletionCost),
        imds::DELETION_COST => {
            only(head, &Method::PUT, "GET, PUT")?;
            without_query(head, Call::SetDeletionCost)
        }
        // Calls of the reference platform that need a fleet to move instances about in.
        imds::REALLOCATE | imds::RECREATE => {
            only(head, &Method::POST, "POST")?;
            Err(Refusal::NotAvailable)
        }
        _ => Err(Refusal::NotFound),
    }
}

fn only(head: &Parts, method: &Method, allow: &'static str) -> Result<(), Refusal> {
    if head.method == *method { Ok(()) } else { Err(Refusal::MethodNotAllowed { allow }) }
}

fn without_query(head: &Parts, call: Call) -> Result<Call, Refusal> {
    match head.uri.query() {
        None | Some("") => Ok(call),
        Some(query) => {
            let name = query.split(['&', '=']).next().unwrap_or_default();
            Err(Refusal::QueryInvalid(Property::new(name, "this call takes no parameters; leave it out")))
        }
    }
}

/// The query of `/v1/token`: nothing, or `audience` once. A parameter that is not known might be one that a caller
/// relies on, so it is refused rather than ignored.
fn audience(query: &str) -> Result<Option<Audience>, Property> {
    let mut audience = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "audience" {
            return Err(Property::new(name, "unknown parameter; this call takes audience only"));
        }
        let value = percent_decoded(value)
            .ok_or_else(|| Property::new(name, "expected percent-encoding as %XX, and a plus sign as %2B"))?;
        let value = Audience::try_from(value).map_err(|error| Property::new(name, error.to_string()))?;
        if audience.replace(value).is_some() {
            return Err(Property::new(name, "expected this parameter once"));
        }
    }
    Ok(audience)
}

/// Strict percent-decoding (RFC 3986 section 2.1). A bare plus sign is refused: it is a space to those who think of forms
/// and itself to the others, and an audience must not depend on who is right.
fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => 16 * hex_digit(bytes.next()?)? + hex_digit(bytes.next()?)?,
            b'+' => return None,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(method: &str, target: &str) -> Result<Call, Refusal> {
        find(&Request::builder().method(method).uri(target).body(()).unwrap().into_parts().0)
    }

    fn token_for(audience: &str) -> Result<Call, Refusal> {
        Ok(Call::Token(Some(audience.parse().unwrap())))
    }

    #[test]
    fn the_table_knows_its_paths_and_methods() {
        for (method, target, expected) in [
            ("GET", "/v1/token", Ok(Call::Token(None))),
            ("GET", "/v1/token?", Ok(Call::Token(None))),
            ("GET", "/v1/status", Ok(Call::Status)),
            ("POST", "/v1/restart", Ok(Call::Restart)),
            ("GET", "/v1/deletion-cost", Ok(Call::DeletionCost)),
            ("PUT", "/v1/deletion-cost", Ok(Call::SetDeletionCost)),
            ("POST", "/v1/reallocate", Err(Refusal::NotAvailable)),
            ("POST", "/v1/recreate", Err(Refusal::NotAvailable)),
            ("GET", "/v1/recreate", Err(Refusal::MethodNotAllowed { allow: "POST" })),
            ("HEAD", "/v1/token", Err(Refusal::MethodNotAllowed { allow: "GET" })),
            ("OPTIONS", "/v1/token", Err(Refusal::MethodNotAllowed { allow: "GET" })),
            ("POST", "/v1/deletion-cost", Err(Refusal::MethodNotAllowed { allow: "GET, PUT" })),
            ("get", "/v1/token", Err(Refusal::MethodNotAllowed { allow: "GET" })),
            ("GET", "/", Err(Refusal::NotFound)),
            ("GET", "/v1/token/", Err(Refusal::NotFound)),
            ("GET", "//v1/token", Err(Refusal::NotFound)),
            ("GET", "/V1/token", Err(Refusal::NotFound)),
            ("GET", "/v1/%74oken", Err(Refusal::NotFound)),
            ("GET", "/v1/../v1/token", Err(Refusal::NotFound)),
        ] {
            assert_eq!(found(method, target), expected, "{method} {target}");
        }
    }

    #[test]
    fn an_audience_is_decoded_strictly() {
        for (query, audience) in [
            ("audience=broker", "broker"),
            ("audience=https%3A%2F%2Fbroker.example%2Fv1%3Fx%3Dy%26z", "https://broker.example/v1?x=y&z"),
            ("audience=https://broker.example/", "https://broker.example/"),
            ("audience=a=b", "a=b"),
            ("audience=a%2Bb", "a+b"),
            ("&audience=x&", "x"),
        ] {
            assert_eq!(found("GET", &format!("/v1/token?{query}")), token_for(audience), "{query}");
        }
        for query in [
            "audience=",
            "audience",
            "audience=a&audience=a",
            "audience=a&x=y",
            "Audience=a",
            "%61udience=a",
            "audience=a+b",
            "audience=a%20b",
            "audience=a%2",
            "audience=a%zz",
            "audience=%ff",
            "audience=a%00",
            &format!("audience={}", "a".repeat(256)),
        ] {
            let refusal = found("GET", &format!("/v1/token?{query}"));
            assert!(matches!(refusal, Err(Refusal::QueryInvalid(_))), "{query}: {refusal:?}");
        }
        assert!(matches!(found("GET", "/v1/status?audience=a"), Err(Refusal::QueryInvalid(_))));
    }
}
