// SPDX-License-Identifier: Apache-2.0
//! Control away, slow or silent; clocks that are wrong; a machine that sleeps.

use std::time::Duration;

use super::control::Link;
use super::rig::{Rig, audience, jwt, kind, pass, seconds, settle};
use crate::tokens::limits::{CALL_TIME_MAX, EXPIRY_MARGIN};

/// Every 250 ms for so long the token is good.
async fn always_good(
    rig: &Rig,
    instances: &[(crate::tokens::InstanceIdentity, crate::tokens::InstanceTokens)],
    time: u64,
) {
    for _ in 0..time * 4 {
        pass(Duration::from_millis(250)).await;
        for (identity, tokens) in instances {
            rig.default_claims(identity, tokens);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_fails_while_control_is_away_for_100_seconds() {
    for (link, offset) in [Link::Down, Link::Silent].into_iter().flat_map(|link| (0..10).map(move |n| (link, n * 19))) {
        let rig = Rig::start();
        let instances = [rig.open_ready(&[]).await, rig.open_ready(&[]).await];
        always_good(&rig, &instances, offset).await;
        rig.control.set_link(link);
        always_good(&rig, &instances, 100).await;
        // Back without anyone saying so.
        rig.control.set_link(Link::Up);
        always_good(&rig, &instances, 300).await;
        assert_eq!(rig.cache.metrics().expired.get(), 0, "{link:?} from {offset} s");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_a_life_there_is_no_token_and_at_once_one_when_the_link_is_back() {
    let rig = Rig::start();
    let instances: Vec<_> = [rig.open_ready(&[]).await, rig.open_ready(&[]).await].into();
    rig.control.set_link(Link::Down);
    let end = rig.default_claims(&instances[0].0, &instances[0].1).expires_at();
    let (mut served, mut refused) = (0, 0);
    for _ in 0..2_000 {
        pass(Duration::from_millis(250)).await;
        let left = end.saturating_since(rig.clock.control_time());
        match kind(&instances[0].1.token(None)) {
            "ready" => {
                rig.default_claims(&instances[0].0, &instances[0].1);
                served += 1;
            }
            "unavailable" => {
                assert!(left <= EXPIRY_MARGIN + Duration::from_millis(50), "given up with {left:?} left");
                refused += 1;
            }
            other => panic!("{other} with {left:?} left"),
        }
    }
    assert!(served > 1_150 && refused > 750, "{served} served, {refused} refused");
    assert_eq!(kind(&instances[0].1.settled_token(None).await), "unavailable", "waiting would not help");

    rig.control.set_link(Link::Up);
    rig.cache.wake();
    settle().await;
    for (identity, tokens) in &instances {
        rig.default_claims(identity, tokens);
    }
    assert_eq!(rig.control.calls().last().unwrap().len(), 2, "all in one call");
}

#[tokio::test(start_paused = true)]
async fn control_that_comes_back_unannounced_is_noticed_within_seconds() {
    let rig = Rig::start();
    rig.control.set_link(Link::Down);
    let (identity, tokens) = rig.open(&[]);
    seconds(3_600).await;
    assert_eq!(kind(&tokens.token(None)), "unavailable");
    let calls = rig.control.calls().len();
    assert!((700..1_500).contains(&calls), "{calls} calls in an hour");
    rig.control.set_link(Link::Up);
    seconds(6).await;
    rig.default_claims(&identity, &tokens);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_starts_while_control_is_away_waits_for_its_token() {
    let rig = Rig::start();
    rig.control.set_link(Link::Silent);
    let (identity, tokens) = rig.open(&["reports"]);
    assert_eq!(kind(&tokens.settled_token(None).await), "unavailable");
    let ready = tokio::time::timeout(Duration::from_secs(600), tokens.ready()).await;
    assert!(ready.is_err(), "ready without a token");
    assert_eq!(kind(&tokens.token(Some(&audience("reports")))), "unavailable");
    assert_eq!(kind(&tokens.token(Some(&audience("other")))), "audience-not-allowed");
    rig.control.set_link(Link::Up);
    assert!(tokens.ready().await);
    rig.default_claims(&identity, &tokens);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_broken_link_lost_is_not_waited_for() {
    let rig = Rig::start();
    rig.control.set_link(Link::Silent);
    let (identity, tokens) = rig.open(&[]);
    seconds(3).await;
    rig.control.set_link(Link::Up);
    rig.cache.wake();
    settle().await;
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_call_holds_up_no_other_instance() {
    let rig = Rig::start();
    rig.control.set_link(Link::Silent);
    let (_, stuck) = rig.open(&[]);
    settle().await;
    rig.control.set_link(Link::Up);
    let (identity, tokens) = rig.open(&[]);
    settle().await;
    rig.default_claims(&identity, &tokens);
    assert_eq!(kind(&stuck.token(None)), "pending");
    pass(CALL_TIME_MAX + Duration::from_secs(1)).await;
    assert_eq!(kind(&stuck.token(None)), "ready");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_does_not_lengthen_a_life() {
    let rig = Rig::start();
    rig.control.set_link(Link::Held);
    let (identity, tokens) = rig.open(&[]);
    seconds(9).await;
    rig.control.release();
    assert!(tokens.ready().await);
    rig.control.set_link(Link::Down);
    let end = rig.default_claims(&identity, &tokens).expires_at();
    while kind(&tokens.token(None)) == "ready" {
        assert!(rig.clock.control_time() < end - EXPIRY_MARGIN + Duration::from_secs(1));
        pass(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_wrong_by_a_year_changes_nothing() {
    const YEAR: i64 = 365 * 86_400 * 1_000_000;
    for shift in [YEAR, -YEAR] {
        let rig = Rig::start();
        rig.clock.shift_wall_clock(shift);
        let instances = [rig.open_ready(&[]).await];
        always_good(&rig, &instances, 400).await;
        rig.clock.shift_wall_clock(-shift);
        always_good(&rig, &instances, 400).await;
        assert!(rig.control.asked() <= 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_never_serves_a_token_that_died_meanwhile() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    let before = jwt(&tokens.token(None));
    rig.clock.suspend(Duration::from_secs(3_600));
    assert_eq!(kind(&tokens.token(None)), "pending");
    settle().await;
    assert_ne!(jwt(&tokens.token(None)), before);
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.calls().len(), 2, "fetched at once, not at the next timer");
    assert_eq!(rig.cache.metrics().expired.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_for_a_while_refreshes_soon() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    rig.clock.suspend(Duration::from_secs(200));
    rig.default_claims(&identity, &tokens);
    seconds(11).await;
    let claims = rig.default_claims(&identity, &tokens);
    let left = claims.expires_at().saturating_since(rig.clock.control_time());
    assert!(left > Duration::from_secs(285), "{left:?} left");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_while_it_waited_for_an_answer_does_not_serve_it() {
    let rig = Rig::start();
    rig.control.set_link(Link::Held);
    let (identity, tokens) = rig.open(&[]);
    settle().await;
    rig.clock.suspend(Duration::from_secs(3_600));
    rig.control.release();
    assert!(tokens.ready().await);
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.calls().len(), 2, "the first answer was an hour old");
}
