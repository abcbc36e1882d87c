// SPDX-License-Identifier: Apache-2.0
//! The tower layer: what gets through, and what the others are told.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Extension;
use axum::response::Response;
use axum::routing::get;
use cress_testkit::{TestIssuer, forge};
use cress_verify::http::{BearerLayer, VerifiedToken};
use cress_verify::{Clock, Verifier};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use tower::ServiceExt;

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{remote, start};

fn service(verifier: Verifier) -> Router {
    let whoami = async |Extension(token): Extension<VerifiedToken>| token.subject().unwrap().to_owned();
    let group = "salad_workload_name=other".parse().unwrap();
    Router::new()
        .route("/others", get(whoami).layer(BearerLayer::new(verifier.clone()).realm("others").require(group)))
        .route("/", get(whoami).layer(BearerLayer::new(verifier)))
}

async fn ask(service: &Router, path: &str, authorization: &[&str]) -> (Response, serde_json::Value) {
    let mut request = Request::get(path);
    for value in authorization {
        request = request.header(AUTHORIZATION, *value);
    }
    let response = service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 100_000).await.unwrap();
    let json = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    (Response::from_parts(parts, Body::empty()), json)
}

#[tokio::test]
async fn requests_are_judged_as_rfc_6750_says() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let service = service(verifier);
    let good = format!("Bearer {}", issuer.token(clock.now()));
    let forged = format!("bearer {}", forge::with_signature_bit_turned(&good[7..], 3));
    let two = [good.as_str(), good.as_str()];
    for (path, authorization, status, error, code) in [
        ("/", &[][..], 401, None, "token-missing"),
        ("/", &["Basic dXNlcjpwYXNz"], 401, None, "token-missing"),
        ("/", &["Bearer"], 400, Some("invalid_request"), "authorization-malformed"),
        ("/", &["Bearer a b"], 400, Some("invalid_request"), "authorization-malformed"),
        ("/", &two, 400, Some("invalid_request"), "authorization-repeated"),
        ("/", &["Bearer abc"], 401, Some("invalid_token"), "token-malformed"),
        ("/", &[&forged], 401, Some("invalid_token"), "signature-invalid"),
        ("/others", &[&forged], 401, Some("invalid_token"), "signature-invalid"),
        ("/others", &[&good], 403, Some("insufficient_scope"), "claim-rule-failed"),
    ] {
        let (response, body) = ask(&service, path, authorization).await;
        let (headers, context) = (response.headers(), format!("{path} {authorization:?} {body}"));
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{context}");
        assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{context}");
        assert!(body["detail"].is_string() && body["remedy"].is_string(), "{context}");
        let challenge = headers[WWW_AUTHENTICATE].to_str().unwrap();
        let realm = if path == "/" { "workloads" } else { "others" };
        let start = error.map_or(format!("Bearer realm=\"{realm}\""), |error| {
            format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"")
        });
        assert!(challenge.starts_with(&start), "{context}: {challenge}");
        assert_eq!(challenge.contains("error"), error.is_some(), "{context}: {challenge}");
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert!(!body.to_string().contains(good.rsplit('.').next().unwrap()));
    }
    for authorization in [good.clone(), good.replacen("Bearer", "bEARER", 1), good.replacen(' ', "   ", 1)] {
        let (response, body) = ask(&service, "/", &[&authorization]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(body, issuer.identity().machine_id.to_string());
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_not_looked_at() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let path = format!("/?access_token={}", issuer.token(clock.now()));
    let (response, body) = ask(&service(verifier), &path, &[]).await;
    assert_eq!((response.status(), &body["code"]), (StatusCode::UNAUTHORIZED, &"token-missing".into()));
}

#[tokio::test]
async fn whoever_cannot_be_judged_is_told_to_come_again() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::status(503)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let _ = verifier.ready().await;
    clock.advance(std::time::Duration::from_secs(1));
    let good = format!("Bearer {}", issuer.token(clock.now()));
    let (response, body) = ask(&service(verifier), "/", &[&good]).await;
    assert_eq!((response.status(), &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"keys-unavailable".into()));
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    assert!(!body.to_string().contains(&server.url()), "{body}");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn handlers_take_the_claims_as_an_argument() {
    use cress_verify::http::BearerToken;

    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let whoami = async |BearerToken(claims): BearerToken| claims.workload().unwrap().container_group_name.to_string();
    let service =
        Router::new().route("/", get(whoami)).layer(BearerLayer::new(verifier)).route("/forgotten", get(whoami));
    let good = format!("Bearer {}", issuer.token(clock.now()));
    let (response, body) = ask(&service, "/", &[&good]).await;
    assert_eq!((response.status(), body), (StatusCode::OK, "demo".into()));
    let (response, _) = ask(&service, "/forgotten", &[&good]).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
