// SPDX-License-Identifier: Apache-2.0
//! Leases that end before their time, and targets that do not let them.

use std::time::Duration;

use cress_provider::Footprint;

use super::support::{Mode, Stack, Target, configured, eventually, instance, settings};
use crate::lease::{Event, LeaseStatus, Selection, TargetCondition, Targets};

#[tokio::test]
async fn what_an_operator_selects_ends_at_once() {
    let stack = Stack::new().await;
    let mut leases = Vec::new();
    for owner in ["one", "one", "two", "three"] {
        leases.push(stack.leases.grant(stack.request(&instance(owner))).await.unwrap().lease_id);
    }
    let issuer: cress_domain::Issuer = "https://issuer.example".parse().unwrap();
    let other: cress_domain::Issuer = "https://other.example".parse().unwrap();
    let ended = |issuer| Selection::Instance { issuer: Some(issuer), instance_id: "one".into() };
    assert_eq!(stack.leases.revoke(&ended(other)).await.unwrap(), 0);
    assert_eq!(stack.leases.revoke(&ended(issuer.clone())).await.unwrap(), 2);
    stack.is_gone(leases[0]).await;
    stack.is_gone(leases[1]).await;
    assert!(stack.target().has(leases[2]));
    assert_eq!(stack.leases.revoke(&Selection::Lease(leases[2])).await.unwrap(), 1);
    stack.is_gone(leases[2]).await;
    assert_eq!(stack.leases.revoke(&Selection::Issuer(issuer)).await.unwrap(), 1);
    stack.is_gone(leases[3]).await;
}

#[tokio::test]
async fn a_revocation_never_gives_up_and_says_why_it_waits() {
    for mode in [Mode::Refuses, Mode::Away] {
        let stack = Stack::new().await;
        let lease = stack.grant().await.lease_id;
        stack.target().becomes(mode);
        stack.leases.end(&instance("one"), lease).await.unwrap();
        eventually(async || {
            // As time goes by.
            stack.clock.advance(Duration::from_millis(50));
            stack.store.lease(lease).await.unwrap().unwrap().attempts >= 20
        })
        .await;
        stack.advance(60);
        let stuck = stack.leases.stuck().await.unwrap();
        let state = &stuck[0];
        assert_eq!((state.provider.as_str(), state.due, state.leases), ("target-0", 1, 1));
        let (well, words) = match mode {
            Mode::Refuses => (true, "cannot end the account: the broker's user may not do that"),
            _ => (false, "cannot end the account: nobody listens at cache.example:6379"),
        };
        assert_eq!(state.last_error.as_deref(), Some(words));
        assert_eq!(state.condition == TargetCondition::Well, well, "{state:?}");
        assert_eq!(stack.status(lease).await, Some(LeaseStatus::Revoking));
        stack.target().becomes(Mode::Well);
        eventually(async || {
            stack.advance(1);
            stack.status(lease).await == Some(LeaseStatus::Gone)
        })
        .await;
        assert!(!stack.target().has(lease));
        assert_eq!(stack.leases.stuck().await.unwrap(), []);
        let told = stack.heard.0.lock().unwrap().iter().any(|event| matches!(event, Event::NotEnded { .. }));
        assert_eq!(told, mode == Mode::Refuses);
    }
}

#[tokio::test]
async fn a_target_that_left_the_configuration_is_waited_for() {
    let targets = vec![Target::new(Footprint::Account), Target::new(Footprint::Account)];
    let stack = Stack::with(targets, settings()).await;
    let lease = stack.grant().await.lease_id;
    stack.leases.reload(Targets {
        providers: configured(&stack.targets).providers.into_iter().skip(1).collect(),
        ..configured(&stack.targets)
    });
    stack.advance(400);
    let other = stack.leases.grant(stack.request_at(1, &instance("one"))).await.unwrap().lease_id;
    stack.leases.end(&instance("one"), other).await.unwrap();
    stack.is_gone(other).await;
    let stuck = stack.leases.stuck().await.unwrap();
    assert_eq!((stuck.len(), stuck[0].condition.clone(), stuck[0].due), (1, TargetCondition::Unconfigured, 1));
    stack.leases.reload(configured(&stack.targets));
    stack.is_gone(lease).await;
}

#[tokio::test]
async fn targets_are_told_to_look_after_themselves() {
    let settings = crate::lease::Settings { maintain_every: Duration::from_secs(60), ..settings() };
    let stack = Stack::with(vec![Target::new(Footprint::Account)], settings).await;
    let maintained = || stack.target().maintained.load(std::sync::atomic::Ordering::Relaxed);
    eventually(async || maintained() == 1).await;
    stack.advance(60);
    eventually(async || maintained() == 2).await;
}
