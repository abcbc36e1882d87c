// SPDX-License-Identifier: Apache-2.0
//! Whether the process answers, and whether it can give anything out.

use bytes::Bytes;
use cress_api::Problem;
use http::HeaderValue;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body_util::Full;

use super::answer::{self, Answer};
use crate::broker::Broker;

pub(super) fn alive() -> Answer {
    status("alive")
}

/// Some issuer's tokens can be checked, and records can be written. A target that is away is no reason to send workloads elsewhere.
pub(super) fn ready(broker: &Broker) -> Answer {
    let running = broker.running();
    let is_usable = |one: &cress_verify::SourceStatus| one.key_ids.is_some() && !one.too_old;
    if !running.callers.status().iter().any(is_usable) {
        return unready("keys-unavailable", "no issuer's keys are there and fresh enough; make its key set reachable");
    }
    if broker.parts.audit.ready().is_err() {
        return unready("audit-unavailable", "no record can be written now; the log of the broker says why");
    }
    status("ready")
}

fn status(status: &'static str) -> Answer {
    let mut answer = Answer::new(Full::new(Bytes::from(format!("{{\"status\":\"{status}\"}}"))));
    *answer.status_mut() = StatusCode::OK;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn unready(code: &'static str, detail: &'static str) -> Answer {
    answer::problem(&Problem::new(503, code, "Service Unavailable").with_detail(detail))
}
