// SPDX-License-Identifier: Apache-2.0
//! Many callers at once, and one instance that spoils it for no other.

use super::control::Link;
use super::rig::{Rig, audience, jwt, kind, seconds, settle};
use crate::tokens::Refusal;

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_cause_one_request() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    rig.control.set_link(Link::Held);
    let reports = audience("reports");
    let tokens = std::sync::Arc::new(tokens);
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let (tokens, reports) = (tokens.clone(), reports.clone());
            tokio::spawn(async move { tokens.settled_token(Some(&reports)).await })
        })
        .collect();
    seconds(2).await;
    rig.control.release();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(jwt(&caller.await.unwrap()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(rig.control.asked(), 2, "the default one and this one");
}

/// The same on real threads and in real time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_many_threads_cause_one_request() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    let tokens = std::sync::Arc::new(tokens);
    let callers = (0..1_000).map(|_| {
        let (tokens, reports) = (tokens.clone(), reports.clone());
        tokio::spawn(async move { jwt(&tokens.settled_token(Some(&reports)).await) })
    });
    let callers: Vec<_> = callers.collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    answers.dedup();
    assert_eq!((answers.len(), rig.control.asked()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refused_instance_blocks_no_other() {
    let rig = Rig::start();
    let (identity, refused) = rig.open(&[]);
    rig.control.unplace(identity.instance_id);
    let (good_identity, good) = rig.open(&[]);
    settle().await;
    rig.default_claims(&good_identity, &good);
    assert_eq!(kind(&refused.token(None)), "pending", "a replica of control may be a moment behind");
    seconds(5).await;
    assert_eq!(kind(&refused.settled_token(None).await), "unavailable");
    seconds(1_800).await;
    rig.default_claims(&good_identity, &good);
    let calls = rig.control.calls().len();
    assert!((360..=900).contains(&calls), "{calls} calls in half an hour");
    assert_eq!(rig.cache.metrics().calls_failed.get(), 0);
    assert!(rig.cache.metrics().refused.get() > 300);
}

#[tokio::test(start_paused = true)]
async fn a_placement_that_control_learns_of_late_costs_no_more_than_a_moment() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open(&[]);
    let instance = identity.instance_id;
    rig.control.tamper(move |_, requests, results| {
        for (request, result) in requests.iter().zip(results) {
            if request.instance_id == instance {
                *result = Err(Refusal::NotPlaced);
            }
        }
    });
    settle().await;
    rig.control.be_honest();
    let started = rig.clock.control_time();
    assert_eq!(kind(&tokens.settled_token(None).await), "ready");
    assert!(rig.clock.control_time().saturating_since(started).as_millis() < 500);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_leaves_a_good_token_in_place() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    rig.control.tamper(|_, _, results| results.iter_mut().for_each(|result| *result = Err(Refusal::NoSigningKey)));
    for _ in 0..290 {
        seconds(1).await;
        rig.default_claims(&identity, &tokens);
    }
    seconds(10).await;
    assert_eq!(kind(&tokens.token(None)), "unavailable");
    rig.control.be_honest();
    seconds(5).await;
    rig.default_claims(&identity, &tokens);
}
