// SPDX-License-Identifier: Apache-2.0
//! Tokens that name keys which nobody knows.

use std::time::{Duration, Instant};

use cress_testkit::{TestIssuer, forge};
use cress_verify::{Clock, SystemClock, Verifier};
use serde_json::json;

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{code, eventually, remote, start, start_now, verify};

fn naming(token: &str, kid: &str) -> String {
    forge::with_header(token, &json!({"alg": "ES256", "kid": kid, "typ": "JWT"}).to_string())
}

async fn verify_all(verifier: &Verifier, tokens: Vec<String>) -> Vec<&'static str> {
    let verify_one = |token: String| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verify(&verifier, &token).await })
    };
    let mut codes = Vec::new();
    for task in tokens.into_iter().map(verify_one).collect::<Vec<_>>() {
        codes.push(task.await.unwrap());
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_cost_one_fetch() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let token = issuer.token(clock.now());
    for round in 0..2 {
        let tokens = (0..1_000).map(|number| naming(&token, &format!("stranger-{round}-{number}"))).collect();
        let storm = tokio::spawn({
            let verifier = verifier.clone();
            async move { verify_all(&verifier, tokens).await }
        });
        // Until the clock moves on, the second is not over and no fetch is allowed.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.hits(), 1 + round);
        assert_eq!(verify(&verifier, &token).await, "accepted", "a storm must not hold up the others");
        clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
        assert!(storm.await.unwrap().into_iter().all(|code| code == "key-unknown"));
        assert_eq!(server.hits(), 2 + round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_storm_costs_one_fetch_a_second() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let verifier = start_now(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let token = issuer.token(SystemClock::new().now());
    #[expect(clippy::disallowed_methods, reason = "the rate is one of real time")]
    let started = Instant::now();
    for round in 0..3 {
        let tokens = (0..100).map(|number| naming(&token, &format!("stranger-{round}-{number}"))).collect();
        assert!(verify_all(&verifier, tokens).await.into_iter().all(|code| code == "key-unknown"));
        let allowed = started.elapsed().as_secs() + 2;
        assert!(server.hits() as u64 <= allowed, "{} fetches where {allowed} are allowed", server.hits());
    }
}

#[tokio::test]
async fn an_unknown_id_is_looked_for_once() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let stranger = naming(&issuer.token(clock.now()), "test-2");
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &stranger).await, "key-unknown");
    assert_eq!(server.hits(), 2);
    clock.advance(Duration::from_secs(29));
    for _ in 0..100 {
        assert_eq!(code(verifier.try_verify(&stranger).unwrap()), "key-unknown");
    }
    assert_eq!(server.hits(), 2);

    // After a while it is looked for again, and found.
    issuer.add_key("test-2");
    server.answer(Answer::keys(&issuer));
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn any_change_of_keys_ends_what_was_known_as_unknown() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let token = issuer.token(clock.now());
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &naming(&token, "test-3")).await, "key-unknown");
    issuer.add_key("test-2");
    server.answer(Answer::keys(&issuer));
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
    issuer.add_key("test-3");
    server.answer(Answer::keys(&issuer));
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
}

#[tokio::test]
async fn an_outage_does_not_make_an_id_unknown() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    server.answer(Answer::status(503));
    issuer.add_key("test-2");
    let token = issuer.token(clock.now());
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &token).await, "key-unknown");
    server.answer(Answer::keys(&issuer));
    clock.advance(Duration::from_secs(1));
    eventually("acceptance", async || verify(&verifier, &token).await == "accepted").await;
}

#[tokio::test]
async fn ids_that_no_key_can_have_cost_nothing() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let token = issuer.token(clock.now());
    for kid in ["", "a b", "test-1\0", "test-1\r\nX: y", "é", &"k".repeat(256), &"k".repeat(5_000)] {
        assert_eq!(code(verifier.try_verify(&naming(&token, kid)).unwrap()), "key-id-malformed", "{kid:?}");
    }
    assert_eq!(code(verifier.try_verify(&naming(&token, &"k".repeat(10_000))).unwrap()), "token-too-long");
    let foreign = TestIssuer::with_issuer("https://other.test").token(clock.now());
    assert_eq!(code(verifier.try_verify(&naming(&foreign, "stranger")).unwrap()), "issuer-mismatch");
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn ids_are_compared_and_nothing_else() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    let token = issuer.token(clock.now());
    for kid in
        ["../../etc/passwd", "/dev/null", "http://127.0.0.1:1/", "test-1'--", "Test-1", "test-1#", "$(id)", "%2e"]
    {
        clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
        assert_eq!(verify(&verifier, &naming(&token, kid)).await, "key-unknown", "{kid}");
    }
}
