// SPDX-License-Identifier: Apache-2.0
//! The key set (RFC 7517), as the reference platform publishes it.

use axum::extract::State;
use axum::response::Response;
use cress_api::Problem;
use cress_service::problem::with_retry_after;
use http::HeaderMap;

use super::Shared;
use super::conditional::Document;

const RETRY_AFTER_SECONDS: u32 = 5;

/// Ready bytes: nothing is serialized for a request.
pub(super) async fn key_set(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let view = shared.public.ring.current();
    if !view.is_fresh(shared.public.clock.now()) {
        return with_retry_after(stale(), RETRY_AFTER_SECONDS);
    }
    Document { body: view.body.clone(), entity_tag: &view.etag, cache_control: shared.cache_control }.answer(&headers)
}

/// A set that lacks a new key would make verifiers refuse good tokens for as long as they keep it; they keep what they have instead.
fn stale() -> Problem {
    Problem::new(503, "keys-unknown", "Service Unavailable").with_detail(
        "control has not reached its store for too long to know which keys are published; keep the keys you have",
    )
}
