// SPDX-License-Identifier: Apache-2.0
//! Problem details (RFC 9457) as axum answers, for handlers, for what no handler sees, and for bodies that are not what they should be.

mod extract;

use axum::Router;
use axum::response::{IntoResponse, Response};
use cress_api::{PROBLEM_JSON, Problem};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode, Uri};

pub use extract::{Json, JsonError, Path, Query, read_json};

/// A problem as an answer; `Result<T, ProblemResponse>` is what handlers return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemResponse(pub Problem);

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        to_http(&self.0).map(axum::body::Body::from)
    }
}

/// The whole answer to a problem, for servers without axum. A status out of range becomes 500.
#[must_use]
pub fn to_http(problem: &Problem) -> http::Response<bytes::Bytes> {
    let mut response = http::Response::new(bytes::Bytes::from(problem.to_json()));
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A problem that says when to come again (RFC 9110 section 10.2.3).
#[must_use]
pub fn with_retry_after(problem: Problem, seconds: u32) -> Response {
    let mut response = ProblemResponse(problem).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Makes problems of a router's 404 and 405. Call it after every route was added, and before layers.
pub fn with_problems<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async |uri: Uri| ProblemResponse(not_found(uri.path())))
        .method_not_allowed_fallback(async |method: Method| ProblemResponse(method_not_allowed(&method)))
}

/// 404: no such path.
#[must_use]
pub fn not_found(_path: &str) -> Problem {
    Problem::new(404, "not-found", "Not Found").with_detail("there is nothing at this path")
}

/// 405: the path exists, the method does not.
#[must_use]
pub fn method_not_allowed(method: &Method) -> Problem {
    let problem = Problem::new(405, "method-not-allowed", "Method Not Allowed");
    problem.with_detail(format!("this path does not take {}; see the Allow header", bounded(method.as_str())))
}

/// 408: the request did not arrive in time.
#[must_use]
pub fn request_timeout() -> Problem {
    Problem::new(408, "request-timeout", "Request Timeout")
        .with_detail("the request did not arrive in time; send it whole")
}

/// 413: the body is larger than `bytes_max`.
#[must_use]
pub fn body_too_large(bytes_max: usize) -> Problem {
    let problem = Problem::new(413, "body-too-large", "Content Too Large");
    problem.with_detail(format!("the body may have at most {bytes_max} bytes"))
}

/// 415: the body's media type is not the expected one.
#[must_use]
pub fn unsupported_media_type(expected: &str) -> Problem {
    let problem = Problem::new(415, "unsupported-media-type", "Unsupported Media Type");
    problem.with_detail(format!("expected a body of content type {expected}"))
}

/// 500, with nothing of the cause, which is in the log.
#[must_use]
pub fn internal_error() -> Problem {
    Problem::new(500, "internal-error", "Internal Server Error").with_detail("the cause is in the server's log")
}

/// The head of a text that a caller sent, short enough to repeat.
fn bounded(text: &str) -> &str {
    text.get(..20).unwrap_or(text)
}
