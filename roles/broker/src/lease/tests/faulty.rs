// SPDX-License-Identifier: Apache-2.0
//! Brokers that die, answers that get lost, and accounts that are made too late.

use std::sync::Arc;
use std::time::Duration;

use cress_provider::Footprint;

use super::support::{Mode, Stack, Target, eventually, instance, settings};
use crate::lease::{GrantError, LeaseStatus, Page, Settings};

const ALL: Page = Page { after: None, limit: 100 };

#[tokio::test]
async fn what_was_not_given_out_is_removed() {
    for mode in [Mode::Mute, Mode::Away, Mode::Refuses] {
        let stack = Stack::new().await;
        stack.target().becomes(mode);
        let failed = stack.leases.grant(stack.request(&instance("one"))).await;
        assert!(matches!(failed, Err(GrantError::Provider(_))), "{failed:?}");
        stack.target().becomes(Mode::Well);
        let lease = stack.leases.of_owner(&instance("one"), ALL).await.unwrap()[0].id;
        eventually(async || {
            stack.advance(1);
            stack.status(lease).await == Some(LeaseStatus::Gone)
        })
        .await;
        assert!(stack.target().leases().is_empty());
    }
}

/// A target that answers late may make an account after it has been told to remove it.
#[tokio::test]
async fn an_account_that_is_made_after_its_revocation_is_removed_too() {
    let stack = Stack::new().await;
    stack.target().becomes(Mode::Refuses);
    stack.leases.grant(stack.request(&instance("one"))).await.unwrap_err();
    stack.target().becomes(Mode::Well);
    let lease = stack.leases.of_owner(&instance("one"), ALL).await.unwrap()[0].id;
    eventually(async || {
        stack.clock.advance(Duration::from_millis(20));
        stack.target().revoked.load(std::sync::atomic::Ordering::Relaxed) == 1
    })
    .await;
    let now = cress_domain::Clock::now(&*stack.clock);
    stack.target().accounts.lock().unwrap().insert(stack.leases.account(lease), now);
    stack.advance(90);
    stack.is_gone(lease).await;
}

#[tokio::test]
async fn an_intent_whose_broker_died_is_removed_when_it_is_old() {
    let stack = Stack::new().await;
    stack.target().becomes(Mode::Hangs);
    let granting = tokio::spawn({
        let (leases, request) = (stack.leases.clone(), stack.request(&instance("one")));
        async move { leases.grant(request).await.map(drop) }
    });
    eventually(async || stack.leases.of_owner(&instance("one"), ALL).await.unwrap().len() == 1).await;
    let lease = stack.leases.of_owner(&instance("one"), ALL).await.unwrap()[0].id;
    // Its account was made, and nobody ever heard of it.
    let now = cress_domain::Clock::now(&*stack.clock);
    stack.target().accounts.lock().unwrap().insert(stack.leases.account(lease), now);
    stack.database.close().await;
    granting.abort();
    let next = stack.another(settings()).await;
    stack.target().becomes(Mode::Well);
    assert!(stack.target().has(lease));
    next.advance(90);
    next.is_gone(lease).await;
}

#[tokio::test]
async fn a_lease_that_is_revoked_while_it_is_made_is_not_given_out() {
    let stack = Stack::new().await;
    stack.target().becomes(Mode::Hangs);
    let granting = tokio::spawn({
        let (leases, request) = (stack.leases.clone(), stack.request(&instance("one")));
        async move { leases.grant(request).await.map(drop) }
    });
    eventually(async || stack.leases.of_owner(&instance("one"), ALL).await.unwrap().len() == 1).await;
    let lease = stack.leases.of_owner(&instance("one"), ALL).await.unwrap()[0].id;
    stack.leases.end(&instance("one"), lease).await.unwrap();
    stack.target().becomes(Mode::Well);
    assert!(matches!(granting.await.unwrap(), Err(GrantError::Revoked)));
    eventually(async || {
        stack.advance(10);
        stack.status(lease).await == Some(LeaseStatus::Gone)
    })
    .await;
    assert!(stack.target().leases().is_empty());
}

#[tokio::test]
async fn a_target_that_is_away_is_not_asked_for_more() {
    let away = (Duration::from_secs(30), Duration::from_secs(30));
    let stack = Stack::with(vec![Target::new(Footprint::Account)], Settings { away, ..settings() }).await;
    stack.target().becomes(Mode::Away);
    // The revocation of what was asked for in vain finds it away too.
    let mut asked = 0;
    loop {
        match stack.leases.grant(stack.request(&instance("one"))).await {
            Err(GrantError::Provider(_)) => asked += 1,
            Err(GrantError::Away { .. }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((1..=3).contains(&asked), "{asked}");
    let leases = stack.leases.of_owner(&instance("one"), ALL).await.unwrap().len();
    let refused = stack.leases.grant(stack.request(&instance("one"))).await;
    assert!(matches!(refused, Err(GrantError::Away { .. })), "{refused:?}");
    assert_eq!(stack.leases.of_owner(&instance("one"), ALL).await.unwrap().len(), leases, "no intent piles up");
    stack.target().becomes(Mode::Well);
    stack.advance(31);
    stack.grant().await;
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_and_nothing_is_given_out() {
    let stack = Stack::new().await;
    let granted = stack.grant().await;
    stack.database.close().await;
    let refused = stack.leases.grant(stack.request(&instance("one"))).await;
    assert!(matches!(refused, Err(GrantError::Store(_))), "{refused:?}");
    assert_eq!(stack.target().leases().len(), 1);
    let next = stack.another(settings()).await;
    next.advance(300);
    next.is_gone(granted.lease_id).await;
}

/// An emptied store is another deployment: it never touches what the former one has made.
#[tokio::test]
async fn an_emptied_store_touches_nothing_of_the_former() {
    let stack = Stack::new().await;
    let former = stack.grant().await.lease_id;
    let settings = Settings { compare_every: Duration::from_millis(1), ..settings() };
    let keep = Arc::new(tempfile::tempdir().unwrap());
    let emptied = Stack::in_directory(keep, stack.targets.clone(), settings, Arc::clone(&stack.clock), 3).await;
    stack.shutdown.request();
    emptied.advance(10_000_000);
    let lease = emptied.grant().await.lease_id;
    emptied.advance(300);
    emptied.is_gone(lease).await;
    let compared = async || emptied.store.target(&"target-0".parse().unwrap()).await.unwrap().compared_at.is_some();
    eventually(compared).await;
    assert!(emptied.target().has(former));
}
