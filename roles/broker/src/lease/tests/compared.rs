// SPDX-License-Identifier: Apache-2.0
//! Accounts that no lease is known of.

use std::time::Duration;

use cress_domain::{AccountName, Clock, DeploymentId, LeaseId, ProviderName};
use cress_provider::Footprint;
use cress_testkit::SeededRandom;

use super::support::{LONGEST_LEASE, Stack, Target, eventually, settings};
use crate::lease::{Event, Settings, TargetCondition};

fn provider() -> ProviderName {
    "target-0".parse().unwrap()
}

async fn comparing() -> Stack {
    let settings = Settings { compare_every: Duration::from_secs(600), ..settings() };
    let stack = Stack::with(vec![Target::new(Footprint::Account)], settings).await;
    compared(&stack).await;
    stack
}

/// Waits for the next comparison, as time goes by.
async fn compared(stack: &Stack) {
    let now = stack.clock.now();
    eventually(async || {
        later(stack, 50).await;
        stack.store.target(&provider()).await.unwrap().compared_at.is_some_and(|at| at >= now)
    })
    .await;
}

/// Puts accounts at the target that were made this long ago.
fn strays(stack: &Stack, count: u64, age: Duration, deployment: DeploymentId) -> Vec<LeaseId> {
    let made = stack.clock.now() - age;
    let leases: Vec<_> = (0..count).map(|seed| LeaseId::generate_at(made, &SeededRandom::new(1_000 + seed))).collect();
    let accounts = leases.iter().map(|lease| (AccountName::of(deployment, *lease), made));
    stack.target().accounts.lock().unwrap().extend(accounts);
    leases
}

const OLD: Duration = Duration::from_secs(2 * 3_600);

/// A broker runs on, and time goes by: it is alive all the time.
async fn later(stack: &Stack, seconds: u64) {
    for _ in 0..seconds.div_ceil(50) {
        stack.advance(50);
        let beaten = stack.clock.now();
        eventually(async || {
            let gap = Duration::from_secs(1_000_000);
            stack.store.beat(beaten, gap).await.is_ok()
        })
        .await;
    }
}

#[tokio::test]
async fn a_few_old_strays_are_removed_and_nothing_else() {
    let stack = comparing().await;
    let live = stack.grant().await.lease_id;
    let old = strays(&stack, 3, OLD, stack.leases.deployment());
    let young = strays(&stack, 1, LONGEST_LEASE / 2, stack.leases.deployment());
    let foreign = strays(&stack, 2, OLD * 2, DeploymentId::generate(&SeededRandom::new(99)));
    stack.advance(250);
    stack.leases.renew(&super::support::instance("one"), live, stack.clock.now() + LONGEST_LEASE).await.unwrap();
    later(&stack, 400).await;
    compared(&stack).await;
    eventually(async || old.iter().all(|lease| !stack.target().has(*lease))).await;
    assert!(stack.target().has(live));
    assert!([young, foreign].concat().iter().all(|lease| stack.target().has(*lease)));
    let removed = |event: &Event| matches!(event, Event::StrayRemoved { .. });
    assert_eq!(stack.heard.0.lock().unwrap().iter().filter(|event| removed(event)).count(), 3);
}

#[tokio::test]
async fn many_strays_wait_for_the_operator() {
    let stack = comparing().await;
    strays(&stack, 50, OLD, stack.leases.deployment());
    later(&stack, 650).await;
    compared(&stack).await;
    let held = async || {
        let target = &stack.leases.targets().await.unwrap()[0];
        matches!(&target.condition, TargetCondition::Held { reason, .. } if reason.contains("50 of 50 accounts have no lease"))
    };
    eventually(held).await;
    assert_eq!(stack.target().leases().len(), 50);
    assert_eq!(stack.leases.stuck().await.unwrap().len(), 1);
    assert!(stack.leases.release(&provider()).await.unwrap());
    later(&stack, 50).await;
    eventually(async || stack.target().leases().is_empty()).await;
    eventually(async || stack.leases.stuck().await.unwrap().is_empty()).await;
    assert!(!stack.leases.release(&provider()).await.unwrap(), "nothing is held any more");
}

/// The store was restored from a backup: it knows of no broker in the time in which an account was made.
#[tokio::test]
async fn one_account_from_a_forgotten_time_holds_everything() {
    let stack = comparing().await;
    // What the restored store looks like to the next broker: nobody beat for two hours, though an account was made an hour ago.
    stack.shutdown.request();
    let _drained = stack.shutdown.drain().await;
    stack.advance(2 * 3_600);
    let forgotten = strays(&stack, 1, Duration::from_secs(3_600), stack.leases.deployment());
    let settings = Settings { compare_every: Duration::from_secs(600), ..settings() };
    let next = stack.another(settings).await;
    eventually(async || !next.store.gaps().await.unwrap().is_empty()).await;
    compared(&next).await;
    later(&next, 3 * 3_600).await;
    compared(&next).await;
    let target = &next.leases.targets().await.unwrap()[0];
    let reason = |condition: &TargetCondition| matches!(condition, TargetCondition::Held { reason, .. } if reason.contains("restored from a backup"));
    assert!(reason(&target.condition), "{target:?}");
    assert!(next.target().has(forgotten[0]));
    assert!(next.leases.release(&provider()).await.unwrap());
    later(&next, 50).await;
    eventually(async || !next.target().has(forgotten[0])).await;
}

/// The target was restored from a backup: accounts are back whose leases are over.
#[tokio::test]
async fn accounts_that_came_back_are_removed() {
    let stack = comparing().await;
    let lease = stack.grant().await.lease_id;
    let backup = stack.target().accounts.lock().unwrap().clone();
    later(&stack, 300).await;
    stack.is_gone(lease).await;
    *stack.target().accounts.lock().unwrap() = backup;
    later(&stack, 5_000).await;
    compared(&stack).await;
    eventually(async || {
        stack.advance(20);
        !stack.target().has(lease)
    })
    .await;
}

#[tokio::test]
async fn a_target_that_cannot_be_listed_is_left_alone() {
    let stack = comparing().await;
    strays(&stack, 1, OLD, stack.leases.deployment());
    stack.target().becomes(super::support::Mode::Refuses);
    later(&stack, 700).await;
    assert_eq!(stack.target().leases().len(), 1);
    stack.target().becomes(super::support::Mode::Well);
    eventually(async || {
        stack.advance(20);
        stack.target().leases().is_empty()
    })
    .await;
}
