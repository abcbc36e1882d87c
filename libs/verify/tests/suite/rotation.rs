// SPDX-License-Identifier: Apache-2.0
//! Keys that come and go.

use std::sync::Arc;
use std::time::Duration;

use cress_testkit::{MockClock, TestIssuer};
use cress_verify::{Clock, Settings, TrustedIssuer, Verifier};

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{refresh, remote, start, start_now, verify};

#[tokio::test]
async fn a_token_of_a_new_key_brings_the_key() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let old = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &old).await, "accepted");

    issuer.add_key("test-2");
    server.answer(Answer::keys(&issuer));
    clock.advance(Duration::from_secs(1));
    let new = issuer.token(clock.now());
    assert!(verifier.try_verify(&new).is_none());
    assert_eq!(verify(&verifier, &new).await, "accepted");
    assert_eq!(verify(&verifier, &old).await, "accepted");
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn no_good_token_is_refused_through_rotations() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer { cache_control: "max-age=60", ..Answer::keys(&issuer) }).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let mut last = issuer.token(clock.now());
    for number in 2..12 {
        issuer.add_key(&format!("test-{number}"));
        issuer.drop_key(&format!("test-{}", number - 2));
        server.answer(Answer { cache_control: "max-age=60", ..Answer::keys(&issuer) });
        clock.advance(Duration::from_secs(100));
        let token = issuer.token(clock.now());
        assert_eq!(verify(&verifier, &token).await, "accepted", "the first token of key {number}");
        assert_eq!(verify(&verifier, &last).await, "accepted", "the last token of key {}", number - 1);
        last = token;
    }
}

#[tokio::test]
async fn a_removed_key_takes_its_tokens_along() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let old = issuer.token(clock.now());
    issuer.add_key("test-2");
    let new = issuer.token(clock.now());
    server.answer(Answer::keys(&issuer));
    refresh(&verifier, &clock).await;
    for token in [&old, &new] {
        assert_eq!(verify(&verifier, token).await, "accepted");
    }
    assert_eq!(verifier.cached_tokens(), 2);

    issuer.drop_key("test-1");
    server.answer(Answer::keys(&issuer));
    refresh(&verifier, &clock).await;
    assert_eq!(verifier.cached_tokens(), 0);
    assert!(verifier.verify_cached(&old).is_none());
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &old).await, "key-unknown");
    assert_eq!(verify(&verifier, &new).await, "accepted");
}

#[tokio::test]
async fn an_empty_set_is_the_issuers_word_too() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    let token = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &token).await, "accepted");
    server.answer(Answer::body("{\"keys\":[]}"));
    refresh(&verifier, &clock).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &token).await, "key-unknown");
}

#[tokio::test]
async fn a_change_of_one_issuers_keys_leaves_the_others_tokens() {
    let clock = Arc::new(MockClock::default());
    let (mut first, second) =
        (TestIssuer::with_issuer("https://first.test"), TestIssuer::with_issuer("https://second.test"));
    let server = JwksServer::start(Answer::keys(&first)).await;
    let issuers = vec![
        TrustedIssuer::new(first.rules(), remote(&server.url())),
        TrustedIssuer::new(second.rules(), second.jwks()),
    ];
    let verifier = Verifier::start(issuers, &Settings::default(), clock.clone()).unwrap();
    for token in [first.token(clock.now()), second.token(clock.now())] {
        assert_eq!(verify(&verifier, &token).await, "accepted");
    }
    first.add_key("test-2");
    server.answer(Answer::keys(&first));
    refresh(&verifier, &clock).await;
    assert_eq!(verifier.cached_tokens(), 1);
}

#[tokio::test]
async fn rotation_under_load_refuses_nobody() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let verifier = start_now(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    for number in 2..4 {
        issuer.add_key(&format!("test-{number}"));
        server.answer(Answer::keys(&issuer));
        let now = cress_verify::SystemClock::new().now();
        let tokens: Vec<_> = (0..200).map(|_| issuer.token(now)).collect();
        let tasks: Vec<_> = tokens
            .into_iter()
            .map(|token| {
                let verifier = verifier.clone();
                tokio::spawn(async move { verify(&verifier, &token).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), "accepted");
        }
    }
}
