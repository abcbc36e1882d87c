// SPDX-License-Identifier: Apache-2.0
//! What time does to keys and to remembered tokens.

use std::time::Duration;

use cress_testkit::TestIssuer;
use cress_verify::{Clock, FetchError, TrustedIssuer, VerifyError};

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{eventually, refresh, remote, start, start_with, verify};

#[tokio::test]
async fn a_remembered_token_is_refused_from_the_moment_it_expires() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let issued_at = clock.now();
    let token = issuer.token(issued_at);
    assert_eq!(verify(&verifier, &token).await, "accepted");
    let leeway = issuer.rules().leeway.duration();
    let end = issued_at + Duration::from_secs(300) + leeway;
    for (at, expected) in [
        (end - Duration::from_micros(1), "accepted"),
        (end, "expired"),
        (issued_at - leeway, "accepted"),
        (issued_at - leeway - Duration::from_micros(1), "not-yet-valid"),
        (issued_at, "accepted"),
    ] {
        clock.set_now(at);
        assert_eq!(verify(&verifier, &token).await, expected, "at {at}");
        assert_eq!(verifier.verify_cached(&token).is_some(), expected == "accepted");
    }
    clock.set_now(end);
    assert_eq!(verify(&verifier, &token).await, "expired");
    assert_eq!(verifier.cached_tokens(), 0, "a dead token stays in memory");
}

#[tokio::test]
async fn keys_outlive_an_outage_up_to_an_age() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let clock = std::sync::Arc::new(cress_testkit::MockClock::default());
    let mut trusted = TrustedIssuer::new(issuer.rules(), remote(&server.url()));
    trusted.keys_age_max = Duration::from_secs(6_000);
    let verifier = start_with(trusted, clock.clone());
    let token = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &token).await, "accepted");

    server.answer(Answer::status(503));
    refresh(&verifier, &clock).await;
    assert_eq!(verifier.status()[0].last_error, Some(FetchError::Status(503)));
    let confirmed = clock.monotonic() - verifier.status()[0].age;
    clock.set_monotonic(confirmed + Duration::from_secs(6_000));
    assert_eq!(verify(&verifier, &token).await, "accepted");
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");

    clock.set_monotonic(confirmed + Duration::from_secs(6_001));
    let fresh = issuer.token(clock.now());
    for token in [&token, &fresh] {
        assert!(verifier.verify_cached(token).is_none());
        let VerifyError::KeysTooOld { age, max, reason, .. } = verifier.verify(token).await.unwrap_err() else {
            panic!("old keys were trusted")
        };
        assert_eq!((age.as_secs(), max.as_secs(), reason), (6_001, 6_000, FetchError::Status(503)));
    }
    assert!(verifier.status()[0].too_old);

    server.answer(Answer::keys(&issuer));
    eventually("recovery", async || {
        clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
        verify(&verifier, &token).await == "accepted"
    })
    .await;
    let status = &verifier.status()[0];
    assert!(!status.too_old && status.last_error.is_none(), "{status:?}");
}

#[tokio::test]
async fn wall_clock_jumps_do_not_age_keys() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    server.answer(Answer::status(503));
    clock.set_now(clock.now() + Duration::from_secs(365 * 86_400));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
}

#[tokio::test]
async fn verifiers_with_keys_of_six_days_ago_refuse_no_good_token() {
    let mut issuer = TestIssuer::new();
    issuer.add_key("test-2");
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let clock = std::sync::Arc::new(cress_testkit::MockClock::default());
    let mut trusted = TrustedIssuer::new(issuer.rules(), remote(&server.url()));
    trusted.keys_age_max = Duration::from_secs(7 * 86_400);
    let verifier = start_with(trusted, clock.clone());
    verifier.ready().await.unwrap();
    server.answer(Answer::status(503));
    clock.advance(Duration::from_secs(6 * 86_400));
    // The key that was already published signs now; a newer one is published, and does not sign yet.
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
}
