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

const JSON: &str = "application/json";

/// The longest piece of a message that goes into a problem, in bytes.
const MESSAGE_BYTES_MAX: usize = 300;

/// A JSON body in either direction: 415, 413, 408 or 400 with a problem where it is not one of `T`.
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
        let problem = Self::new(400, "invalid-body", "Bad Request");
        match error {
            JsonError::Property { property, message } if !property.is_empty() => {
                problem.with_detail("the body is not what was expected; see errors").with_error(property, message)
            }
            error => problem.with_detail(error.to_string()),
        }
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
        let value = read_json(&body).map_err(Problem::from)?;
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
                Problem::new(400, "invalid-query", "Bad Request").with_detail(expectation(&cause))
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
    let property = if path == "." { String::new() } else { bounded(path) };
    let message = error.to_string();
    // serde_json ends its message with the position.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let property = if property.is_empty() { field.to_owned() } else { format!("{property}.{field}") };
        return JsonError::Property { property, message: "is missing".to_owned() };
    }
    JsonError::Property { property, message: expectation(message) }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax { line: error.line(), column: error.column() }
}

/// Of serde's "invalid type: string \"x\", expected i32", what is not the caller's.
fn expectation(message: &str) -> String {
    if message.starts_with("unknown field `") {
        let known = message.rsplit_once("`, ").map_or("", |(_, known)| known);
        return format!("is no known property; {known}");
    }
    let starts_with_value = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    if starts_with_value.iter().any(|start| message.starts_with(start))
        && let Some((_, expected)) = message.rsplit_once(", expected ")
    {
        return bounded(format!("expected {expected}"));
    }
    bounded(message.to_owned())
}

fn bounded(mut text: String) -> String {
    let end = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    text.truncate(end);
    text
}
