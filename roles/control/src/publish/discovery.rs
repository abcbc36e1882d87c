// SPDX-License-Identifier: Apache-2.0
//! The issuer's discovery document (OpenID Connect Discovery 1.0, section 3), so that any OIDC relying party can find the keys.

use axum::extract::State;
use axum::response::Response;
use cress_keyring::{RingView, entity_tag};
use http::HeaderMap;
use serde::Serialize;

use super::conditional::Document;
use super::{Public, Shared};

/// Claims of every token.
const CLAIMS: [&str; 13] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "salad_machine_id",
    "salad_instance_id",
    "salad_workload_id",
    "salad_workload_name",
    "salad_organization_id",
    "salad_organization_name",
];

/// Its members are those that the standard requires of an issuer without an authorization endpoint, and the claims.
#[derive(Debug, Serialize)]
struct Discovery<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    claims_supported: [&'static str; 13],
}

pub(super) async fn document(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let body = body(&shared.public, &shared.public.ring.current());
    let entity_tag = entity_tag(&body);
    Document { body: body.into(), entity_tag: &entity_tag, cache_control: shared.cache_control }.answer(&headers)
}

fn body(public: &Public, ring: &RingView) -> Vec<u8> {
    let document = Discovery {
        issuer: public.issuer.as_str(),
        jwks_uri: &public.jwks_url,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms(ring),
        claims_supported: CLAIMS,
    };
    // It has only texts, so that writing it cannot fail.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Those of the published keys and no others: a verifier must not accept what nobody signs with.
fn algorithms(ring: &RingView) -> Vec<&'static str> {
    let mut algorithms: Vec<_> = ring.published.keys().iter().map(|key| key.algorithm().as_str()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    algorithms
}
