// SPDX-License-Identifier: Apache-2.0
//! Answers. None may be stored: what is not secret itself says what somebody may have.

use std::time::Duration;

use bytes::Bytes;
use cress_api::Problem;
use cress_service::listen::BodyError;
use cress_service::problem::{body_too_large, method_not_allowed, request_timeout, to_http};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::caller::Refused;

pub(crate) type Answer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Room for most answers, so that a secret is not left behind where a buffer grew.
const BODY_BYTES_USUAL: usize = 4_096;

/// A value in JSON, erased when it has been sent.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES_USUAL));
    if serde_json::to_writer(&mut *body, value).is_err() {
        return problem(&cress_service::problem::internal_error());
    }
    with_body(status, Bytes::from_owner(body))
}

fn with_body(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Answer::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// 204.
pub(super) fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    answer
}

pub(crate) fn problem(problem: &Problem) -> Answer {
    to_http(problem).map(Full::new)
}

/// Says when to come again (RFC 9110 section 10.2.3).
pub(crate) fn with_retry_after(mut answer: Answer, wait: Option<Duration>) -> Answer {
    if let Some(wait) = wait {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
    }
    answer
}

/// Whoever is not heard learns why, and what to do (RFC 6750 section 3).
pub(super) fn refused(refused: Refused, realm: &str) -> Answer {
    let Refused { refusal, retry_after } = refused;
    if refusal.status != StatusCode::TOO_MANY_REQUESTS {
        return with_retry_after(refusal.into_response::<Bytes>(realm).map(Full::new), retry_after);
    }
    let detail = format!("{}; {}", refusal.detail, refusal.remedy);
    let too_many = Problem::new(429, refusal.code, "Too Many Requests").with_detail(detail);
    with_retry_after(problem(&too_many), retry_after)
}

pub(super) fn wrong_method(method: &Method, allowed: &'static str) -> Answer {
    let mut answer = problem(&method_not_allowed(method));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

pub(super) fn bad_body(error: &BodyError) -> Problem {
    match error {
        BodyError::TooLarge { bytes_max } => body_too_large(*bytes_max),
        BodyError::TooSlow => request_timeout(),
        _ => Problem::new(400, "body-incomplete", "Bad Request")
            .with_detail("the body did not arrive whole; send it again"),
    }
}
