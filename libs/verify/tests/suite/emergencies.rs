// SPDX-License-Identifier: Apache-2.0
//! Rotations and emergency revocations under load, with several followers: no good token is refused, no bad one passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cress_testkit::TestIssuer;
use cress_verify::{Clock, SystemClock, Verifier};
use futures_util::future::join_all;
use tokio::sync::RwLock;

use crate::jwks_server::{Answer, JwksServer};
use crate::support::{eventually, remote, start_now, verify};

const FOLLOWERS: usize = 4;
const ROUNDS: usize = 2;

/// Signs and verifies without a pause, each time at the next follower. The lock is held from signing to the verdict, so that every
/// token is good when it is judged.
async fn load(
    issuer: Arc<RwLock<TestIssuer>>,
    followers: Vec<Verifier>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) {
    let clock = SystemClock::new();
    for follower in followers.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let issuer = issuer.read().await;
        let token = issuer.token(clock.now());
        for _ in 0..2 {
            assert_eq!(verify(follower, &token).await, "accepted");
            count.fetch_add(1, Ordering::Relaxed);
        }
        drop(issuer);
        tokio::task::yield_now().await;
    }
}

/// Once it has been told to look, which is how an operator hurries followers.
async fn refuses_all(follower: &Verifier, stolen: &[String]) {
    follower.refresh().await;
    for token in stolen {
        assert!(follower.verify_cached(token).is_none());
        assert_eq!(verify(follower, token).await, "key-unknown", "a stolen token passed after the emergency");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn emergencies_under_load_refuse_nobody_and_let_no_thief_in() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let followers: Vec<Verifier> = (0..FOLLOWERS).map(|_| start_now(&issuer, remote(&server.url()))).collect();
    let (issuer, clock) = (Arc::new(RwLock::new(issuer)), SystemClock::new());
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..FOLLOWERS)
        .map(|_| tokio::spawn(load(Arc::clone(&issuer), followers.clone(), Arc::clone(&stop), Arc::clone(&count))))
        .collect();
    for round in 0..ROUNDS {
        let kid = format!("rotated-{round}");
        let stolen: Vec<String> = {
            let mut issuer = issuer.write().await;
            issuer.add_key(&kid);
            server.answer(Answer::keys(&issuer));
            (0..50).map(|_| issuer.token(clock.now())).collect()
        };
        // Followers learn of the key by its tokens alone; the thief's pass as long as nobody knows of the theft.
        eventually("the new key everywhere", async || {
            followers.iter().all(|follower| {
                let key_ids = follower.status()[0].key_ids.clone().unwrap_or_default();
                key_ids.iter().any(|known| known.as_str() == kid)
            })
        })
        .await;
        for follower in &followers {
            for token in stolen.iter().take(25) {
                assert_eq!(verify(follower, token).await, "accepted");
            }
        }

        {
            let mut issuer = issuer.write().await;
            issuer.drop_key(&kid);
            server.answer(Answer::keys(&issuer));
        }
        join_all(followers.iter().map(|follower| refuses_all(follower, &stolen))).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(count.load(Ordering::Relaxed) > 100, "there was no load");
}
