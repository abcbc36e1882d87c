// SPDX-License-Identifier: Apache-2.0
//! A key set server that was good once and then fails, or falls into wrong hands: good tokens go on passing, others never do.

use std::sync::Arc;
use std::time::Duration;

use cress_testkit::{MockClock, TestIssuer};
use cress_verify::{Clock, JWKS_BYTES_MAX, Settings, TrustedIssuer, Verifier};

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{code, refresh, remote, start, verify};

/// A fetch that has not ended by then has failed.
const TIMEOUT: Duration = Duration::from_millis(400);
/// What a server can send before it notices that nobody reads on: its own buffers and those of the connection.
const BUFFERED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Everything that a server can do instead of answering with the set; `stranger` is where the thief's keys are.
fn abuses(good: &str, thief: &TestIssuer, stranger: &str) -> Vec<(&'static str, Answer)> {
    let redirect = |status| Answer { location: Some(stranger.to_owned()), status, ..Answer::body(thief.jwks_json()) };
    let key = thief.jwks_json().replace("{\"keys\":[", "").replace("]}", "");
    let ten_thousand: Vec<String> =
        (0..10_000).map(|number| key.replace("test-1", &format!("test-{number}"))).collect();
    let small = ["{\"kty\":\"EC\"}"; 10_000].join(",");
    vec![
        ("down", Answer::status(503)),
        ("forbidden", Answer::status(403)),
        ("an error with the thief's keys", Answer { status: 500, ..Answer::keys(thief) }),
        ("slow to begin", Answer { delay: 100 * TIMEOUT, ..Answer::keys(thief) }),
        ("slow to end", Answer { drip: Some(TIMEOUT / 10), ..Answer::keys(thief) }),
        ("empty", Answer::body("")),
        ("garbage", Answer::body("\u{0}\u{1}\u{2}garbage")),
        ("a page to sign in", Answer::body("<html><body>Sign in</body></html>")),
        ("cut off", Answer::body(&good[..good.len() / 2])),
        ("followed by the thief's", Answer::body(format!("{good}{}", thief.jwks_json()))),
        ("10 MB", Answer::body(format!("{}{}", " ".repeat(10 * 1024 * 1024), thief.jwks_json()))),
        ("endless", Answer { endless: true, ..Answer::body(" ".repeat(65_536)) }),
        ("moved for good", redirect(301)),
        ("moved", redirect(302)),
        ("moved, ask again", redirect(307)),
        ("10,000 keys", Answer::body(format!("{{\"keys\":[{}]}}", ten_thousand.join(",")))),
        ("10,000 small keys", Answer::body(format!("{{\"keys\":[{small}]}}"))),
        ("two keys of one name", Answer::body(good.replace("{\"keys\":[", &format!("{{\"keys\":[{key},")))),
    ]
}

#[tokio::test]
async fn last_good_keys_outlive_every_abuse() {
    let (issuer, thief) = (TestIssuer::new(), TestIssuer::new());
    let stranger = JwksServer::start(Answer::keys(&thief)).await;
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let keys = remote(&server.url()).with_timeout(TIMEOUT).unwrap();
    let (verifier, clock) = start(&issuer, keys);
    let known = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &known).await, "accepted");
    for (name, abuse) in abuses(&issuer.jwks_json(), &thief, &stranger.url()) {
        server.answer(abuse);
        refresh(&verifier, &clock).await;
        let status = &verifier.status()[0];
        assert!(status.last_error.is_some(), "{name} was taken for a good answer");
        assert_eq!(status.key_ids, Some(vec!["test-1".parse().unwrap()]), "{name}");
        assert!(verifier.verify_cached(&known).is_some(), "{name} emptied the cache");
        assert_eq!(code(verifier.try_verify(&issuer.token(clock.now())).unwrap()), "accepted", "{name}");
        assert_eq!(code(verifier.try_verify(&thief.token(clock.now())).unwrap()), "signature-invalid", "{name}");
    }
    assert_eq!(stranger.hits(), 0, "a redirect was followed");
    assert!(server.sent_bytes_of_one_answer() < BUFFERED_BYTES_MAX, "an endless answer was read on and on");

    // What counts is the set and not what its server calls it.
    for content_type in ["text/html", "application/octet-stream", ""] {
        server.answer(Answer { content_type, ..Answer::keys(&issuer) });
        refresh(&verifier, &clock).await;
        assert_eq!(verifier.status()[0].last_error, None, "{content_type}");
    }
}

#[tokio::test]
async fn sets_that_never_stay_the_same_leave_nothing_behind() {
    let mut issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let (verifier, clock) = start(&issuer, remote(&server.url()));
    verifier.ready().await.unwrap();
    for round in 0..4 {
        for number in 0..50 {
            issuer.add_key(&format!("key-{round}-{number}"));
            issuer.drop_key(&format!("key-{}-{number}", round - 1));
        }
        server.answer(Answer::keys(&issuer));
        refresh(&verifier, &clock).await;
        assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted", "round {round}");
        assert_eq!(verifier.status()[0].key_ids.as_ref().map(Vec::len), Some(51), "round {round}");
        assert_eq!(verifier.cached_tokens(), 1, "round {round}");
    }
    assert!(issuer.jwks_json().len() < JWKS_BYTES_MAX);
}

#[tokio::test]
async fn an_issuer_under_abuse_holds_up_no_other() {
    let (first, second) =
        (TestIssuer::with_issuer("https://first.test"), TestIssuer::with_issuer("https://second.test"));
    let slow = Answer { delay: Duration::from_secs(60), ..Answer::keys(&first) };
    let (first_server, second_server) = (JwksServer::start(slow).await, JwksServer::start(Answer::keys(&second)).await);
    let clock = Arc::new(MockClock::default());
    let issuers = vec![
        TrustedIssuer::new(first.rules(), remote(&first_server.url())),
        TrustedIssuer::new(second.rules(), remote(&second_server.url())),
    ];
    let verifier = Verifier::start(issuers, &Settings::default(), clock.clone()).unwrap();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), first.token(clock.now()));
            tokio::spawn(async move { verify(&verifier, &token).await })
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(verify(&verifier, &second.token(clock.now())).await, "accepted");
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "the first issuer's tokens are still to be judged");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
