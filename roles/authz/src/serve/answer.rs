// SPDX-License-Identifier: Apache-2.0
//! Answers. One that permits is 200 with headers and no body, since Envoy takes nothing else for a yes; nobody takes a 5xx for one.

use bytes::Bytes;
use cress_api::Problem;
use cress_service::listen::BodyError;
use cress_service::problem::{body_too_large, request_timeout, to_http};
use cress_verify::http::Refusal;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::judge::{Decision, Verdict};
use crate::request::Style;

pub(crate) type Answer = Response<Full<Bytes>>;

pub(super) fn of(decision: Decision, style: Style, realm: &str) -> Answer {
    match decision.verdict {
        Verdict::Permitted(headers) | Verdict::WouldBeRefused(_, headers) => permit(headers),
        Verdict::Refused(refusal) => refuse(refusal, style, realm),
    }
}

fn permit(headers: HeaderMap) -> Answer {
    let mut answer = Answer::default();
    *answer.headers_mut() = headers;
    answer
}

fn refuse(mut refusal: Refusal, style: Style, realm: &str) -> Answer {
    if matches!(style, Style::Nginx | Style::IngressNginx) && refusal.status == StatusCode::BAD_REQUEST {
        refusal.status = StatusCode::FORBIDDEN;
    }
    refusal.into_response::<Bytes>(realm).map(Full::new)
}

pub(super) fn bad_body(error: &BodyError) -> Answer {
    match error {
        BodyError::TooLarge { bytes_max } => problem(&body_too_large(*bytes_max)),
        BodyError::TooSlow => problem(&request_timeout()),
        _ => {
            let broken = Problem::new(400, "body-incomplete", "Bad Request");
            problem(&broken.with_detail("the body did not arrive whole; send it again"))
        }
    }
}

pub(super) fn not_ready() -> Answer {
    let problem_of = Problem::new(503, "keys-unavailable", "Service Unavailable");
    problem(&problem_of.with_detail("no issuer's keys are there and fresh enough; make its key set reachable"))
}

pub(super) fn status(status: &'static str) -> Answer {
    let mut answer = Answer::new(Full::new(Bytes::from(format!("{{\"status\":\"{status}\"}}"))));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(super) fn problem(problem: &Problem) -> Answer {
    to_http(problem).map(Full::new)
}
