// SPDX-License-Identifier: Apache-2.0
//! What the service answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cress_verify::http::{BearerLayer, BearerToken};
use cress_verify::{ClaimRule, Verifier};
use serde::Serialize;
use serde_json::Value;

const BODY_BYTES_MAX: usize = 65_536;

#[derive(Serialize)]
struct Accepted {
    /// How many results there are by now.
    accepted: u64,
    instance_id: Option<Value>,
}

/// Results need a token that satisfies the rule, the health check needs none.
pub(crate) fn router(verifier: Verifier, permitted: ClaimRule) -> Router {
    let bearer = BearerLayer::new(verifier).realm("results").require(permitted);
    Router::new()
        .route("/results", post(take_result))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(bearer)
        .route("/healthz", get(async || "ok"))
        .with_state(Arc::new(AtomicU64::new(0)))
}

async fn take_result(
    State(count): State<Arc<AtomicU64>>,
    BearerToken(claims): BearerToken,
    Json(result): Json<Value>,
) -> (StatusCode, Json<Accepted>) {
    let accepted = count.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::info!(machine = claims.subject(), %result, "took a result");
    (StatusCode::CREATED, Json(Accepted { accepted, instance_id: claims.claim("salad_instance_id").cloned() }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
    use cress_testkit::{MockClock, TestIssuer};
    use cress_verify::{Clock, Settings, TrustedIssuer};
    use tower::ServiceExt;

    use super::*;
    use crate::settings::permitted;

    #[tokio::test]
    async fn only_the_permitted_group_is_let_in() {
        let (issuer, clock) = (TestIssuer::new(), Arc::new(MockClock::default()));
        let own = issuer.identity().container_group_id.to_string();
        for (group, token, status) in [
            (own.as_str(), Some(issuer.token(clock.now())), StatusCode::CREATED),
            (own.as_str(), Some(TestIssuer::new().token(clock.now())), StatusCode::UNAUTHORIZED),
            (own.as_str(), None, StatusCode::UNAUTHORIZED),
            ("215f0bf7-c4c2-4457-85c5-71cd0819def7", Some(issuer.token(clock.now())), StatusCode::FORBIDDEN),
        ] {
            let issuers = vec![TrustedIssuer::new(issuer.rules(), issuer.jwks())];
            let verifier = Verifier::start(issuers, &Settings::default(), clock.clone()).unwrap();
            let mut request = Request::post("/results").header(CONTENT_TYPE, "application/json");
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let request = request.body(Body::from("{\"job\":1}")).unwrap();
            let answer = router(verifier, permitted(group).unwrap()).oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status);
        }
    }
}
