// SPDX-License-Identifier: Apache-2.0
//! Extractors whose refusals are problems. A problem names what was expected and never repeats what came.

use std::error::Error;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use cress_api::Problem;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ProblemResponse, body_too_large, request_timeout, unsupported_media_type};
use crate::listen::BodyError;
use crate::serde_words::{STARTS, got_and_expected};

const JSON: &str = "application/json";

/// The longest piece of a message that goes into a problem, in bytes.
const MESSAGE_BYTES_MAX: usize = 300;

/// A JSON body in either direction. An incoming one is an object: 415, 413, 408 or 400 with a problem where it is not one of `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Path parameters: 404 with a problem where they are not of `T`, since nothing can be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// Query parameters: 400 with a problem where they are not of `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// Why a body is no JSON of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON.
    #[error("expected JSON; it breaks off or is wrong at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// It is JSON of another shape.
    #[error("{}{message}", if .property.is_empty() { String::new() } else { format!("{property}: ") })]
    Property {
        /// Which property, with its path; empty for the body itself.
        property: String,
        /// What was expected.
        message: String,
    },
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        problem("invalid-body", "body", error)
    }
}

fn problem(code: &'static str, part: &str, error: JsonError) -> Problem {
    let problem = Problem::new(400, code, "Bad Request");
    match error {
        JsonError::Property { property, message } if !property.is_empty() => problem
            .with_detail(format!("the {part} is not what was expected; see errors"))
            .with_error(property, message),
        error => problem.with_detail(error.to_string()),
    }
}

/// Reads JSON of type `T`.
///
/// # Errors
/// [`JsonError`], which names the property and what was expected, and repeats nothing of a value.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(path, error.inner())
    })?;
    deserializer.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if !has_content_type(request.headers(), JSON) {
            return Err(unsupported_media_type(JSON).into());
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        let value = read_object(&body).map_err(Problem::from)?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let axum::extract::Path(value) =
            axum::extract::Path::from_request_parts(parts, state).await.map_err(|_| super::not_found(""))?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let axum::extract::Query(value) =
            axum::extract::Query::from_request_parts(parts, state).await.map_err(|rejection| {
                let cause = rejection.source().map(ToString::to_string).unwrap_or_default();
                // Its path stands before the message, if the error is about one parameter.
                let starts_with_message = STARTS.iter().any(|start| cause.starts_with(start));
                let (property, message) =
                    cause.split_once(": ").filter(|_| !starts_with_message).unwrap_or(("", cause.as_str()));
                problem("invalid-query", "query", shape(property.to_owned(), message))
            })?;
        Ok(Self(value))
    }
}

/// Whether the body is declared to be of this type, with or without parameters such as a charset.
#[must_use]
pub(super) fn has_content_type(headers: &HeaderMap, expected: &str) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// serde takes an array for a struct, member by member; no API means that.
fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(JsonError::Property { property: String::new(), message: "expected an object".to_owned() }),
        _ => read_json(body),
    }
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        match error.downcast_ref::<BodyError>() {
            Some(BodyError::TooLarge { bytes_max }) => return body_too_large(*bytes_max),
            Some(BodyError::TooSlow) => return request_timeout(),
            _ => cause = error.source(),
        }
    }
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(413, "body-too-large", "Content Too Large");
    }
    Problem::new(400, "unreadable-body", "Bad Request").with_detail("the body broke off")
}

fn explain(path: String, error: &serde_json::Error) -> JsonError {
    if !error.is_data() {
        return syntax(error);
    }
    let message = error.to_string();
    // serde_json ends its message with the position.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    shape(if path == "." { String::new() } else { path }, message)
}

fn shape(property: String, message: &str) -> JsonError {
    let property = bounded(property);
    for (start, reason) in [("missing field `", "is missing"), ("duplicate field `", "is given twice")] {
        if let Some(field) = message.strip_prefix(start).and_then(|rest| rest.strip_suffix('`')) {
            let property = if property.is_empty() { field.to_owned() } else { format!("{property}.{field}") };
            return JsonError::Property { property, message: reason.to_owned() };
        }
    }
    JsonError::Property { property, message: expectation(message) }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax { line: error.line(), column: error.column() }
}

/// Of serde's "invalid type: string \"x\", expected i32", what is not the caller's.
fn expectation(message: &str) -> String {
    if message.starts_with("unknown field `") {
        // From the end, since the name before it is the caller's.
        let known = message.rsplit_once("`, expected ").map_or("nothing else", |(_, known)| known);
        return bounded(format!("is no known property; expected {known}"));
    }
    if let Some((_, expected)) = got_and_expected(message, "an object") {
        return bounded(format!("expected {expected}"));
    }
    bounded(message.to_owned())
}

fn bounded(mut text: String) -> String {
    let end = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde::Deserialize;
    use tower::ServiceExt;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "port")]
        _port: u16,
        #[serde(rename = "scheme")]
        _scheme: Option<Scheme>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Scheme {
        Http,
        Https,
    }

    #[test]
    fn bodies_are_explained_without_being_repeated() {
        let cases = [
            (r#"{"inner":[{"port":"hunter2"}]}"#, "inner[0].port: expected a whole number from 0 to 65535"),
            (r#"{"inner":[{"port":70000}]}"#, "inner[0].port: expected a whole number from 0 to 65535"),
            (r#"{"inner":[{}]}"#, "inner[0].port: is missing"),
            (r#"{"inner":[{"port":1,"scheme":"hunter2"}]}"#, "inner[0].scheme: expected `http` or `https`"),
            (r#"{"inner":[],"more":"hunter2"}"#, "more: is no known property; expected `inner`"),
            (
                r#"{"inner":[{"port":1,"odd`, `x":"hunter2"}]}"#,
                "inner[0].odd`, `x: is no known property; expected `port` or `scheme`",
            ),
            (r#"{"inner":[],"inner":[]}"#, "inner: is given twice"),
            ("[]", "expected an object"),
            ("7", "expected an object"),
            ("{", "expected JSON; it breaks off or is wrong at line 1, column 1"),
            (r#"{"inner":[]} hunter2"#, "expected JSON; it breaks off or is wrong at line 1, column 14"),
            ("", "expected JSON; it breaks off or is wrong at line 1, column 0"),
        ];
        for (body, expected) in cases {
            let message = read_json::<Outer>(body.as_bytes()).unwrap_err().to_string();
            assert_eq!(message, expected, "{body}");
            assert!(
                !String::from_utf8(Problem::from(JsonError::Property { property: "a".into(), message }).to_json())
                    .unwrap()
                    .contains("hunter2")
            );
        }
        let deep = "[".repeat(100_000);
        assert!(read_json::<serde_json::Value>(deep.as_bytes()).is_err());
    }

    #[tokio::test]
    async fn paths_and_queries_are_refused_with_problems() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Page {
            size: u8,
        }
        let router = Router::new()
            .route("/{id}", get(async |Path(id): Path<u8>, Query(page): Query<Page>| format!("{id} {}", page.size)));
        for (target, status, text) in [
            ("/1?size=2", 200, "1 2"),
            ("/x?size=2", 404, r#""code":"not-found""#),
            ("/1?size=hunter2", 400, r#""code":"invalid-query""#),
            ("/1?sise=2", 400, "is no known property; expected `size`"),
            ("/1", 400, r#""errors":{"size":["is missing"]}"#),
        ] {
            let answer = router.clone().oneshot(Request::get(target).body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status, "{target}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body = std::str::from_utf8(&body).unwrap();
            assert!(body.contains(text) && !body.contains("hunter2"), "{target}: {body}");
        }
    }
}
