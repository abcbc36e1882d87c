// SPDX-License-Identifier: Apache-2.0
//! Restart and end of instances, and of the task that fetches.

use std::time::Duration;

use super::control::Link;
use super::rig::{Rig, audience, jwt, kind, seconds, settle, with_claim};

#[tokio::test(start_paused = true)]
async fn a_restart_drops_everything_and_fetches_before_the_next_run() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    let before = [jwt(&tokens.token(None)), jwt(&tokens.settled_token(Some(&reports)).await)];
    tokens.start_over();
    assert_eq!(kind(&tokens.token(None)), "pending");
    assert!(tokens.ready().await);
    rig.default_claims(&identity, &tokens);
    assert_ne!(jwt(&tokens.token(None)), before[0]);
    assert_eq!(rig.control.asked(), 3, "the new run has not asked for the other audience yet");
    assert_ne!(jwt(&tokens.settled_token(Some(&reports)).await), before[1]);
}

#[tokio::test(start_paused = true)]
async fn what_was_signed_for_the_run_before_is_never_served() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    rig.control.set_link(Link::Held);
    tokens.update(&with_claim(&[], 1));
    settle().await;
    assert_eq!(rig.control.calls().len(), 2);
    tokens.start_over();
    rig.control.release();
    assert!(tokens.ready().await);
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.calls().len(), 3);
    assert_eq!(rig.cache.metrics().fetched.get(), 2, "the answer to the second call was thrown away");
}

#[tokio::test(start_paused = true)]
async fn after_its_end_an_instance_is_unknown_and_nothing_is_fetched_for_it() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    rig.control.set_link(Link::Held);
    let (waiting, ()) = tokio::join!(tokens.settled_token(Some(&reports)), async {
        settle().await;
        tokens.close();
    });
    assert_eq!(kind(&waiting), "instance-unknown");
    rig.control.release();
    seconds(1_000).await;
    for audience in [None, Some(&reports), Some(&audience("other"))] {
        assert_eq!(kind(&tokens.token(audience)), "instance-unknown");
        assert_eq!(kind(&tokens.settled_token(audience).await), "instance-unknown");
    }
    assert!(!tokens.ready().await && !tokens.is_ready());
    tokens.start_over();
    tokens.update(&super::rig::definition(&["more"]));
    seconds(1_000).await;
    assert_eq!(kind(&tokens.token(Some(&audience("more")))), "instance-unknown");
    assert_eq!(rig.control.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_an_instance_ends_it() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&[]).await;
    drop(tokens);
    seconds(1_000).await;
    assert_eq!(rig.control.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn instances_that_come_and_go_leave_nothing_behind() {
    let rig = Rig::start();
    let (identity, stays) = rig.open_ready(&[]).await;
    for _ in 0..200 {
        let (_, tokens) = rig.open_ready(&["reports"]).await;
        tokens.settled_token(Some(&audience("reports"))).await;
        tokens.start_over();
    }
    assert_eq!(rig.cache.shared.state().queue.items().count(), 1);
    rig.default_claims(&identity, &stays);
}

#[tokio::test(start_paused = true)]
async fn the_task_stops_when_told_and_another_goes_on_where_it_left() {
    let rig = Rig::start();
    let (_, first) = rig.open_ready(&[]).await;
    rig.control.set_link(Link::Silent);
    let (identity, second) = rig.open(&[]);
    settle().await;
    rig.stop.cancel();
    settle().await;
    assert!(rig.task.is_finished());
    assert_eq!((kind(&first.token(None)), kind(&second.token(None))), ("ready", "pending"));

    rig.control.set_link(Link::Up);
    let cache = rig.cache.clone();
    let again = tokio::spawn(async move { cache.run(std::future::pending()).await });
    assert!(tokio::time::timeout(Duration::from_secs(1), second.ready()).await.unwrap());
    rig.default_claims(&identity, &second);
    again.abort();
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_a_token() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&[]).await;
    let token = jwt(&tokens.token(None));
    let shown = format!("{tokens:?} {:?} {:?} {:?}", rig.cache, tokens.token(None), rig.cache.shared.state());
    let signature = token.rsplit('.').next().unwrap();
    assert!(!shown.contains(signature) && shown.contains("InstanceTokens"), "{shown}");
}
