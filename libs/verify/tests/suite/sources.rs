// SPDX-License-Identifier: Apache-2.0
//! How keys are fetched, and what is refused as keys.

use std::sync::Arc;
use std::time::Duration;

use cress_testkit::{MockClock, TestIssuer};
use cress_verify::{Clock, FetchError, JWKS_BYTES_MAX, Settings, SettingsError, TrustedIssuer, Verifier, VerifyError};

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{code, eventually, refresh, remote, start, verify};

#[tokio::test]
async fn keys_are_fetched_once_and_serve_every_token() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let token = issuer.token(clock.now());
    assert!(verifier.try_verify(&token).is_none());
    verifier.ready().await.unwrap();
    for token in (0..100).map(|_| issuer.token(clock.now())) {
        assert!(verifier.verify_cached(&token).is_none());
        let claims = verifier.verify(&token).await.unwrap();
        assert_eq!(claims.workload().unwrap().instance_id, Some(issuer.identity().instance_id));
        assert_eq!(verifier.verify_cached(&token), Some(claims.clone()));
        assert_eq!(verifier.try_verify(&token), Some(Ok(claims)));
    }
    assert_eq!(server.hits(), 1);
    assert_eq!(verifier.cached_tokens(), 100);
}

#[tokio::test]
async fn the_first_tokens_wait_for_the_first_keys_together() {
    let issuer = TestIssuer::new();
    let answer = Answer { delay: Duration::from_millis(200), ..Answer::keys(&issuer) };
    let server = JwksServer::start(answer).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), issuer.token(clock.now()));
            tokio::spawn(async move { verify(&verifier, &token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "accepted");
    }
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn keys_are_looked_at_again_ahead_of_time() {
    let issuer = TestIssuer::new();
    let answer = Answer { etag: Some("\"1\""), cache_control: "max-age=1000", ..Answer::keys(&issuer) };
    let server = JwksServer::start(answer.clone()).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let token = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &token).await, "accepted");
    assert_eq!(server.last_etag_asked_for(), None);

    clock.set_monotonic(clock.monotonic() + Duration::from_secs(799));
    assert_eq!(verify(&verifier, &token).await, "accepted");
    assert_eq!(server.hits(), 1);
    clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
    eventually("a second look", async || server.hits() == 2).await;
    assert_eq!(server.last_etag_asked_for().as_deref(), Some("\"1\""));
    eventually("confirmation", async || verifier.status()[0].age == Duration::ZERO).await;
    assert_eq!(verifier.cached_tokens(), 1, "a set that is not modified must not empty the cache");

    server.answer(Answer { etag: Some("\"2\""), ..answer });
    clock.set_monotonic(clock.monotonic() + Duration::from_secs(800));
    eventually("a third look", async || server.hits() == 3 && verifier.status()[0].age == Duration::ZERO).await;
    assert_eq!(verifier.cached_tokens(), 1, "the same keys under another tag must not empty the cache");
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let issuer = TestIssuer::new();
    let good = issuer.jwks_json();
    let elsewhere = JwksServer::start(Answer::body(good.clone())).await;
    let server = JwksServer::start(Answer::status(500)).await;
    let redirect = |status| Answer { location: Some(elsewhere.url()), status, ..Answer::body("") };
    let padded = format!("{}{}", good, " ".repeat(JWKS_BYTES_MAX));
    let key = good.trim_start_matches("{\"keys\":[").trim_end_matches("]}");
    let doubled = format!("{{\"keys\":[{key},{key}]}}");
    let many = format!("{{\"keys\":[{}]}}", vec!["{}"; 257].join(","));
    for (answer, expected) in [
        (Answer::status(500), "expected a key set with status 200, got status 500"),
        (Answer::status(404), "expected a key set with status 200, got status 404"),
        (Answer::status(304), "expected a key set with status 200, got status 304"),
        (Answer::status(204), "expected a key set with status 200, got status 204"),
        (Answer::status(206), "expected a key set with status 200, got status 206"),
        (redirect(301), "expected a key set, got a redirect (301)"),
        (redirect(302), "expected a key set, got a redirect (302)"),
        (redirect(307), "expected a key set, got a redirect (307)"),
        (redirect(308), "expected a key set, got a redirect (308)"),
        (Answer::body("<html>Sign in</html>"), "expected a JSON Web Key Set"),
        (Answer::body(""), "expected a JSON Web Key Set"),
        (Answer::body("[]"), "expected a JSON Web Key Set"),
        (Answer::body("{}"), "expected a JSON Web Key Set"),
        (Answer::body("{\"keys\":{}}"), "expected a JSON Web Key Set"),
        (Answer::body(&good[..good.len() - 1]), "expected a JSON Web Key Set"),
        (Answer::body(padded), "expected a key set of at most 262144 bytes"),
        (Answer { endless: true, ..Answer::body("x".repeat(8_192)) }, "expected a key set of at most 262144 bytes"),
        (Answer::body(doubled), "expected each key id once"),
        (Answer::body(many), "expected at most 256 keys in the set, got 257"),
        (Answer { delay: Duration::from_secs(60), ..Answer::body(good.clone()) }, "expected a complete answer"),
    ] {
        server.answer(answer);
        let keys = remote(&server.url()).with_timeout(Duration::from_millis(500)).unwrap();
        let (verifier, clock) = start(&issuer, keys);
        let error = verifier.ready().await.expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.code(), "keys-unavailable");
        assert!(error.is_temporary());
        assert!(verifier.try_verify(&issuer.token(clock.now())).is_none());
        assert_eq!(verifier.status()[0].key_ids, None);
    }
    assert_eq!(elsewhere.hits(), 0, "a redirect was followed");
}

#[tokio::test]
async fn keys_that_cannot_be_used_do_no_harm_to_others() {
    let issuer = TestIssuer::new();
    let foreign = r#"{"keys":[{"kty":"oct","kid":"secret","k":"c2VjcmV0"},{"kty":"EC","crv":"P-521"},"#;
    let server = JwksServer::start(Answer::body(issuer.jwks_json().replace("{\"keys\":[", foreign))).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
    assert_eq!(verifier.status()[0].key_ids, Some(vec!["test-1".parse().unwrap()]));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_found_when_it_comes() {
    let issuer = TestIssuer::new();
    let free = JwksServer::start(Answer::keys(&issuer)).await;
    let url = free.url();
    drop(free);
    let (verifier, clock) = start(&issuer, remote(&url));
    let Err(VerifyError::KeysUnavailable { reason, .. }) = verifier.ready().await else { panic!("keys from nowhere") };
    assert!(matches!(&reason, FetchError::Unreachable(why) if why.contains("refused")), "{reason}");

    let port = url.split([':', '/']).nth(4).unwrap().parse().unwrap();
    let _server = JwksServer::start_at(port, Answer::keys(&issuer)).await;
    let token = issuer.token(clock.now());
    eventually("acceptance", async || {
        clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
        verify(&verifier, &token).await == "accepted"
    })
    .await;
}

#[tokio::test]
async fn settings_that_contradict_themselves_are_refused() {
    let issuer = TestIssuer::new();
    let clock = Arc::new(MockClock::default());
    let trusted = || TrustedIssuer::new(issuer.rules(), issuer.jwks());
    let error = |issuers| Verifier::start(issuers, &Settings::default(), clock.clone()).unwrap_err();
    assert_eq!(error(Vec::new()), SettingsError::NoIssuer);
    assert_eq!(error(vec![trusted(), trusted()]), SettingsError::RepeatedIssuer(issuer.issuer().clone()));
    assert_eq!(error(vec![trusted(); 257]), SettingsError::TooManyIssuers(257));
    for age in [Duration::ZERO, Duration::from_secs(30 * 86_400 + 1)] {
        let mut trusted = trusted();
        trusted.keys_age_max = age;
        assert_eq!(error(vec![trusted]), SettingsError::KeysAge(age));
    }
}

#[test]
fn a_runtime_is_needed() {
    let issuer = TestIssuer::new();
    let issuers = vec![TrustedIssuer::new(issuer.rules(), issuer.jwks())];
    let error = Verifier::start(issuers, &Settings::default(), Arc::new(MockClock::default())).unwrap_err();
    assert_eq!(error, SettingsError::NoRuntime);
}

#[tokio::test]
async fn nothing_is_fetched_once_the_last_verifier_is_gone() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let clone = verifier.clone();
    verifier.ready().await.unwrap();
    drop(verifier);
    assert_eq!(code(clone.verify(&issuer.token(clock.now())).await), "accepted");
    refresh(&clone, &clock).await;
    assert!(server.hits() >= 2);
    drop(clone);
    let weak = Arc::downgrade(&clock);
    drop(clock);
    eventually("the end of the task", async || weak.upgrade().is_none()).await;
}
