// SPDX-License-Identifier: Apache-2.0
//! When tokens are fetched, and how many calls that takes.

use std::collections::HashSet;
use std::time::Duration;

use cress_domain::limits::ISSUE_BATCH_MAX;

use super::rig::{Rig, audience, jwt, kind, pass, seconds, settle};

#[tokio::test(start_paused = true)]
async fn the_first_token_is_there_before_anyone_asks() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open(&[]);
    assert_eq!(kind(&tokens.token(None)), "pending");
    assert!(!tokens.is_ready());
    assert!(tokens.ready().await);
    assert!(tokens.is_ready());
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_before_the_keys_are_there() {
    let rig = Rig::start_without_keys();
    let (identity, tokens) = rig.open(&[]);
    seconds(30).await;
    assert_eq!((rig.control.asked(), kind(&tokens.token(None))), (0, "pending"));
    rig.send_keys();
    assert!(tokens.ready().await);
    rig.default_claims(&identity, &tokens);
}

#[tokio::test(start_paused = true)]
async fn a_token_stays_the_same_until_it_is_180_seconds_old() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    let mut fetched_at = rig.clock.control_time();
    let mut last = jwt(&tokens.token(None));
    let mut ages = Vec::new();
    for _ in 0..7_200 {
        pass(Duration::from_millis(500)).await;
        let claims = rig.default_claims(&identity, &tokens);
        let left = claims.expires_at().saturating_since(rig.clock.control_time());
        assert!(left > Duration::from_secs(118), "{left:?} left");
        let token = jwt(&tokens.token(None));
        if token != last {
            ages.push(rig.clock.control_time().saturating_since(fetched_at));
            (fetched_at, last) = (rig.clock.control_time(), token);
        }
    }
    // Half a second is how closely is looked, one is the rounding of `exp`.
    let (early, late) = (Duration::from_millis(159_500), Duration::from_millis(180_500));
    assert!(ages.len() >= 19 && ages.iter().all(|age| (early..=late).contains(age)), "{ages:?}");
    assert!(ages.iter().collect::<HashSet<_>>().len() > 5, "no jitter: {ages:?}");
    assert_eq!(rig.cache.metrics().expired.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_fetched_in_few_calls() {
    let rig = Rig::start();
    let instances: Vec<_> = (0..200).map(|_| rig.open(&[])).collect();
    for (identity, tokens) in &instances {
        assert!(tokens.ready().await);
        rig.default_claims(identity, tokens);
    }
    assert_eq!((rig.control.calls().len(), rig.control.asked()), (1, 200));
    seconds(1_800).await;
    let (calls, asked) = (rig.control.calls().len(), rig.control.asked());
    assert!((200 * 10..=200 * 12).contains(&asked) && calls <= 12, "{calls} calls for {asked} tokens in half an hour");
    for (identity, tokens) in &instances {
        rig.default_claims(identity, tokens);
    }
}

#[tokio::test(start_paused = true)]
async fn instances_that_came_one_by_one_share_calls_too() {
    let rig = Rig::start();
    let mut instances = Vec::new();
    for _ in 0..50 {
        instances.push(rig.open_ready(&[]).await);
        seconds(3).await;
    }
    seconds(3_600).await;
    let calls = rig.control.calls().len();
    seconds(3_600).await;
    let calls = rig.control.calls().len() - calls;
    assert!(calls < 50 * 21 / 2, "{calls} calls in an hour");
    for (identity, tokens) in &instances {
        rig.default_claims(identity, tokens);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded() {
    let rig = Rig::start();
    let instances: Vec<_> = (0..ISSUE_BATCH_MAX + 100).map(|_| rig.open(&[])).collect();
    for (_, tokens) in &instances {
        assert!(tokens.ready().await);
    }
    let sizes: Vec<_> = rig.control.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [ISSUE_BATCH_MAX, 100]);
}

#[tokio::test(start_paused = true)]
async fn an_audience_is_fetched_when_it_is_first_asked_for_and_kept_fresh() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&["https://broker.example", "reports"]).await;
    let broker = audience("https://broker.example");
    seconds(20).await;
    assert_eq!(rig.control.asked(), 1, "nobody asked for another audience");
    assert_eq!(kind(&tokens.token(Some(&broker))), "pending");
    let claims = rig.verified(&tokens.settled_token(Some(&broker)).await, &broker);
    assert_eq!(claims.workload().unwrap().instance_id, Some(identity.instance_id));
    for _ in 0..3_600 {
        seconds(1).await;
        rig.verified(&tokens.token(Some(&broker)), &broker);
        rig.default_claims(&identity, &tokens);
    }
    let reports = audience("reports");
    assert!(!rig.control.calls().iter().flatten().any(|one| one.audience == Some(reports.clone())));
}

#[tokio::test(start_paused = true)]
async fn an_audience_that_nobody_asks_for_during_a_life_is_let_go() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    tokens.settled_token(Some(&reports)).await;
    let count = || rig.control.calls().iter().flatten().filter(|one| one.audience.is_some()).count();
    seconds(3_600).await;
    assert_eq!(count(), 2, "the first, and one at 60 % of its life");
    assert_eq!(rig.cache.shared.state().queue.items().count(), 1, "the default token alone is looked after");
    assert_eq!(kind(&tokens.token(Some(&reports))), "pending");
    rig.verified(&tokens.settled_token(Some(&reports)).await, &reports);
    assert_eq!(count(), 3);
}

/// An audience whose token is good for about another 100 s, and is not to be refreshed since nobody has asked for a life.
async fn resting() -> (Rig, crate::tokens::InstanceTokens, cress_domain::Audience) {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    tokens.settled_token(Some(&reports)).await;
    seconds(370).await;
    assert_eq!(rig.control.calls().iter().flatten().filter(|one| one.audience.is_some()).count(), 2);
    (rig, tokens, reports)
}

#[tokio::test(start_paused = true)]
async fn a_good_token_stays_although_nobody_asked_for_it_and_is_refreshed_when_someone_does() {
    let (rig, tokens, reports) = resting().await;
    // Asked for late or not, from here on there is no gap.
    for _ in 0..1_000 {
        rig.verified(&tokens.token(Some(&reports)), &reports);
        seconds(1).await;
    }
    let (rig, tokens, reports) = resting().await;
    seconds(80).await;
    for _ in 0..1_000 {
        rig.verified(&tokens.token(Some(&reports)), &reports);
        seconds(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_rests_says_nothing_that_is_not_so_any_more() {
    let (rig, tokens, reports) = resting().await;
    let mut changed = super::rig::definition(&["reports"]);
    changed.extra_claims = serde_json::from_str(r#"{"team":"vision"}"#).unwrap();
    *rig.control.extra.lock().unwrap() = changed.extra_claims.clone();
    tokens.update(&changed);
    let claims = rig.verified(&tokens.settled_token(Some(&reports)).await, &reports);
    assert_eq!(claims.claim("team").unwrap(), "vision");
}

#[tokio::test(start_paused = true)]
async fn the_organization_by_its_id_is_the_default_audience() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    let organization = audience(&identity.organization_id.to_string());
    assert_eq!(jwt(&tokens.token(Some(&organization))), jwt(&tokens.token(None)));
    settle().await;
    assert_eq!(rig.control.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn short_and_long_lives_are_refreshed_in_time() {
    for life in [60_u32, 3_600] {
        let rig = Rig::start();
        *rig.control.ttl.lock().unwrap() = life.try_into().unwrap();
        let (identity, tokens) = rig.open_ready(&[]).await;
        for _ in 0..7_200 {
            seconds(1).await;
            let claims = rig.default_claims(&identity, &tokens);
            let left = claims.expires_at().saturating_since(rig.clock.control_time());
            assert!(left.as_secs() >= u64::from(life) * 2 / 5 - 2, "{left:?} left of {life} s");
        }
    }
}
