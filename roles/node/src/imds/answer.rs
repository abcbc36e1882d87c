// SPDX-License-Identifier: Apache-2.0
//! Answers as they go out: no cache may keep them, no browser may read them, and none sends a caller elsewhere.

use bytes::Bytes;
use cress_api::PROBLEM_JSON;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::refusal::Refusal;

/// An answer; its body is in memory.
pub(super) type Answer = Response<Full<Bytes>>;

/// What a call was answered with.
#[derive(Debug)]
pub(super) enum Reply {
    Json(Bytes),
    NoContent,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    KeepOpen,
    /// Part of the request is unread: nothing on this connection can be trusted to be the start of another one.
    Close,
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static(PROBLEM_JSON);
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Makes an answer. The request's own header map is taken for it, emptied: hyper then hands it to the next request, and a
/// kept-open connection allocates none.
pub(super) fn answer(mut headers: HeaderMap, result: Result<Reply, Refusal>, afterwards: Afterwards) -> Answer {
    headers.clear();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if afterwards == Afterwards::Close {
        headers.insert(header::CONNECTION, CLOSE);
    }
    let (status, body) = match result {
        Ok(Reply::Json(body)) => {
            headers.insert(header::CONTENT_TYPE, JSON);
            (StatusCode::OK, body)
        }
        Ok(Reply::NoContent) => (StatusCode::NO_CONTENT, Bytes::new()),
        Err(refusal) => {
            headers.insert(header::CONTENT_TYPE, PROBLEM);
            if let Some(seconds) = refusal.retry_after_seconds() {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            if let Refusal::MethodNotAllowed { allow } = refusal {
                headers.insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            (refusal.status(), refusal.problem().to_json().into())
        }
    };
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// A refusal as bytes, for a connection on which there is no well-formed request to answer. The connection ends with it.
pub(super) fn bare(refusal: &Refusal) -> Vec<u8> {
    let body = refusal.problem().to_json();
    let status = refusal.status();
    let retry = refusal.retry_after_seconds().map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
    let mut bytes = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM_JSON}\r\ncache-control: no-store\r\n{retry}connection: close\r\ncontent-length: {}\r\n\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or("Error"),
        body.len(),
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}
