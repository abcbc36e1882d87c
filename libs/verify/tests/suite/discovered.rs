// SPDX-License-Identifier: Apache-2.0
//! Keys where the issuer's discovery document says that they are.

use std::sync::Arc;
use std::time::Duration;

use cress_testkit::{MockClock, TestIssuer};
use cress_verify::{Clock, RemoteKeys, Verifier};

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{eventually, refresh, start, verify};

/// An issuer with a server for its document, which says what the test has it say.
async fn issuer() -> (TestIssuer, JwksServer) {
    let server = JwksServer::start(Answer::status(404)).await;
    (TestIssuer::with_issuer(server.url().trim_end_matches("/jwks")), server)
}

fn document(issuer: &TestIssuer, jwks_uri: &str) -> Answer {
    Answer::body(format!(r#"{{"issuer":"{}","jwks_uri":"{jwks_uri}"}}"#, issuer.issuer()))
}

fn discovered(issuer: &TestIssuer) -> RemoteKeys {
    RemoteKeys::discovered(issuer.issuer()).unwrap().with_timeout(Duration::from_millis(500)).unwrap()
}

fn started(issuer: &TestIssuer) -> (Verifier, Arc<MockClock>) {
    start(issuer, discovered(issuer))
}

#[tokio::test]
async fn an_issuer_alone_is_enough() {
    let (issuer, documents) = issuer().await;
    let keys = JwksServer::start(Answer::keys(&issuer)).await;
    documents.answer(document(&issuer, &keys.url()));
    let (verifier, clock) = started(&issuer);
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
    // The document counts for more than one look.
    refresh(&verifier, &clock).await;
    assert_eq!(documents.hits(), 1);
    assert!(keys.hits() >= 2);
}

#[tokio::test]
async fn documents_that_cannot_be_trusted_are_refused() {
    let (issuer, documents) = issuer().await;
    let keys = JwksServer::start(Answer::keys(&issuer)).await;
    let elsewhere = JwksServer::start(document(&issuer, &keys.url())).await;
    let good = document(&issuer, &keys.url());
    let name = issuer.issuer().as_str();
    let redirect = Answer { location: Some(elsewhere.url()), status: 302, ..Answer::body("") };
    for (answer, expected) in [
        (Answer::status(404), "expected a discovery document with status 200, got status 404"),
        (Answer::status(204), "expected a discovery document with status 200, got status 204"),
        (redirect, "expected a discovery document, got a redirect (302), which is not followed"),
        (Answer::body("<html>"), "expected a discovery document, a JSON object"),
        (Answer::body(good.body.replace(name, &format!("{name}/"))), "expected the discovery document of"),
        (document(&issuer, "http://keys.example/"), "jwks_uri: expected an https URL, or an http URL of this machine"),
        (document(&issuer, "file:///etc/jwks"), "jwks_uri: expected an https URL, or an http URL of this machine"),
        (Answer { endless: true, ..Answer::body("x".repeat(8_192)) }, "expected a discovery document of at most 65536"),
        (Answer { delay: Duration::from_secs(60), ..good.clone() }, "expected a complete answer from the"),
        (Answer { drip: Some(Duration::from_millis(100)), ..good }, "expected a complete answer from the"),
    ] {
        documents.answer(answer);
        let (verifier, _) = started(&issuer);
        let error = verifier.ready().await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!((keys.hits(), elsewhere.hits()), (0, 0), "what a bad document says was followed");
}

#[tokio::test]
async fn keys_that_move_are_found_and_an_outage_of_the_document_does_no_harm() {
    let (mut issuer, documents) = issuer().await;
    let first = JwksServer::start(Answer::keys(&issuer)).await;
    documents.answer(document(&issuer, &first.url()));
    let (verifier, clock) = started(&issuer);
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");

    // The document is away, and is asked again: what it said still counts.
    documents.answer(Answer::status(500));
    first.answer(Answer::status(404));
    refresh(&verifier, &clock).await;
    issuer.add_key("test-2");
    first.answer(Answer::keys(&issuer));
    refresh(&verifier, &clock).await;
    assert!(documents.hits() >= 2);
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");

    // The keys move.
    issuer.add_key("test-3");
    let second = JwksServer::start(Answer::keys(&issuer)).await;
    documents.answer(document(&issuer, &second.url()));
    first.answer(Answer::status(404));
    let token = issuer.token(clock.now());
    eventually("the keys at their new place", async || {
        refresh(&verifier, &clock).await;
        verify(&verifier, &token).await == "accepted"
    })
    .await;
}
