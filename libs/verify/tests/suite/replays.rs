// SPDX-License-Identifier: Apache-2.0
//! Tokens that pass once, where that is asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use cress_testkit::{MockClock, TestIssuer, forge};
use cress_verify::http::BearerLayer;
use cress_verify::{Clock, ReplayWindow, Settings, TrustedIssuer, Verifier};
use http::Request;
use http::header::AUTHORIZATION;
use tower::ServiceExt;

use crate::support::{code, verify};

fn start(issuers: &[&TestIssuer], tokens_max: usize) -> (Verifier, Arc<MockClock>) {
    let clock = Arc::new(MockClock::default());
    let mut settings = Settings::default();
    settings.replay_window = Some(ReplayWindow::new(tokens_max).unwrap());
    let issuers = issuers.iter().map(|issuer| TrustedIssuer::new(issuer.rules(), issuer.jwks())).collect();
    (Verifier::start(issuers, &settings, clock.clone()).unwrap(), clock)
}

#[tokio::test]
async fn a_token_passes_once() {
    let (first, second) =
        (TestIssuer::with_issuer("https://first.test"), TestIssuer::with_issuer("https://second.test"));
    let (verifier, clock) = start(&[&first, &second], 100);
    let token = first.token(clock.now());
    // A forged copy takes nothing from the real one.
    assert_eq!(verify(&verifier, &forge::with_signature_bit_turned(&token, 3)).await, "signature-invalid");
    assert_eq!(verify(&verifier, &token).await, "accepted");
    assert_eq!(verify(&verifier, &token).await, "token-replayed");
    assert_eq!(code(verifier.try_verify(&token).unwrap()), "token-replayed");
    assert!(verifier.verify_cached(&token).is_none());

    // The same id from another issuer is another token; the same id signed again is not.
    let mut same_id = second.claims(clock.now());
    let claims = first.claims(clock.now());
    same_id.insert("jti".to_owned(), claims["jti"].clone());
    assert_eq!(verify(&verifier, &first.sign_claims(claims.clone())).await, "accepted");
    assert_eq!(verify(&verifier, &second.sign_claims(same_id)).await, "accepted");
    assert_eq!(verify(&verifier, &first.sign_claims(claims)).await, "token-replayed");

    clock.advance(Duration::from_secs(331));
    assert_eq!(verify(&verifier, &token).await, "expired");
}

#[tokio::test]
async fn a_token_without_an_id_does_not_pass() {
    let issuer = TestIssuer::new();
    let clock = Arc::new(MockClock::default());
    let mut settings = Settings::default();
    settings.replay_window = Some(ReplayWindow::new(10).unwrap());
    let mut rules = issuer.rules();
    rules.required_claims.clear();
    let issuers = vec![TrustedIssuer::new(rules, issuer.jwks())];
    let verifier = Verifier::start(issuers, &settings, clock.clone()).unwrap();
    let mut claims = issuer.claims(clock.now());
    claims.remove("jti");
    assert_eq!(verify(&verifier, &issuer.sign_claims(claims)).await, "claim-missing");
}

#[tokio::test]
async fn a_full_window_refuses_rather_than_forgets() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&[&issuer], 2);
    let tokens: Vec<String> = (0..3).map(|_| issuer.token(clock.now())).collect();
    for (token, expected) in tokens.iter().zip(["accepted", "accepted", "replay-window-full"]) {
        assert_eq!(verify(&verifier, token).await, expected);
    }
    assert!(verifier.verify(&tokens[2]).await.unwrap_err().is_temporary());
    assert_eq!(verify(&verifier, &tokens[0]).await, "token-replayed");
    clock.advance(Duration::from_secs(331));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_passes() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&[&issuer], 100);
    let token = issuer.token(clock.now());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verify(&verifier, &token).await })
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += usize::from(task.await.unwrap() == "accepted");
    }
    assert_eq!(accepted, 1);
}

/// A request meets the layers of all routes and of its own: that is one use of the token. Another verifier's is another.
#[tokio::test]
async fn a_token_passes_once_through_all_layers_of_a_request() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&[&issuer], 100);
    let (other, _) = start(&[&issuer], 100);
    let layer = |verifier: &Verifier| BearerLayer::new(verifier.clone());
    let demo = layer(&verifier).require("salad_workload_name=demo".parse().unwrap());
    let router = Router::new()
        .route("/", get("within").layer::<_, Infallible>(demo).layer(layer(&other)))
        .route("/others", get("within").layer(layer(&verifier).require("salad_workload_name=other".parse().unwrap())))
        .layer(layer(&verifier));
    let ask = async |path: &str, token: &str| {
        let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    let (first, second) = (issuer.token(clock.now()), issuer.token(clock.now()));
    assert_eq!((ask("/", &first).await, ask("/", &first).await), (200, 401));
    // A layer within looks at the claims all the same.
    assert_eq!((ask("/others", &second).await, ask("/others", &second).await), (403, 401));
    // A verifier of one's own has a window of its own.
    assert_eq!(verify(&other, &first).await, "token-replayed");
    assert_eq!(verify(&other, &second).await, "accepted");
}
