// SPDX-License-Identifier: Apache-2.0
//! The life of a lease when nothing goes wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cress_provider::{FieldValue, Footprint};
use cress_store::broker::Page;

use super::support::{Stack, Target, eventually, instance, settings};
use crate::lease::{Cap, Caps, Event, GrantError, LeaseError, LeaseStatus, Offer, Owner};

const ALL: Page = Page { after: None, limit: 100 };

#[tokio::test]
async fn an_account_lives_as_long_as_its_lease() {
    let stack = Stack::new().await;
    let granted = stack.grant().await;
    assert!(granted.renewable && !granted.replayed);
    assert!(stack.target().has(granted.lease_id));
    assert_eq!(stack.status(granted.lease_id).await, Some(LeaseStatus::Active));
    match &granted.issued.fields["username"] {
        FieldValue::Text(name) => assert_eq!(*name, stack.leases.account(granted.lease_id).to_string()),
        other => panic!("{other:?}"),
    }
    stack.advance(299);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(stack.target().has(granted.lease_id));
    stack.advance(1);
    stack.is_gone(granted.lease_id).await;
    assert_eq!(stack.target().revoked.load(Ordering::Relaxed), 1);
    let provider = "target-0".parse().unwrap();
    assert_eq!(*stack.heard.0.lock().unwrap(), [Event::Ended { lease: granted.lease_id, provider }]);
    stack.advance(3_601);
    eventually(async || stack.status(granted.lease_id).await.is_none()).await;
}

#[tokio::test]
async fn what_leaves_nothing_is_one_write_and_lapses() {
    let stack = Stack::with(vec![Target::new(Footprint::Nothing)], settings()).await;
    let granted = stack.grant().await;
    assert!(!granted.renewable);
    assert_eq!(stack.status(granted.lease_id).await, Some(LeaseStatus::Active));
    // Nothing ends it before its time, and it is told so.
    stack.leases.end(&instance("one"), granted.lease_id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(stack.status(granted.lease_id).await, Some(LeaseStatus::Revoking));
    stack.advance(300);
    eventually(async || stack.status(granted.lease_id).await.is_none()).await;
    assert_eq!(stack.target().revoked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn caps_are_kept_by_concurrent_requests() {
    let stack = Stack::new().await;
    let capped = |owner: &Owner, per_owner, per_group| {
        let mut request = stack.request(owner);
        let caps = Caps { per_owner, per_group };
        request.offer = std::sync::Arc::new(Offer { caps, ..(*request.offer).clone() });
        request
    };
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (leases, request) = (stack.leases.clone(), capped(&instance("one"), 3, 100));
            tokio::spawn(async move { leases.grant(request).await })
        })
        .collect();
    let mut refused = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => {}
            Err(GrantError::TooMany(Cap::Owner)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((refused, stack.target().leases().len()), (17, 3));
    let other = stack.leases.grant(capped(&instance("two"), 3, 3)).await;
    assert!(matches!(other, Err(GrantError::TooMany(Cap::Group))), "{other:?}");
    // What has ended makes room.
    let lease = *stack.target().leases().first().unwrap();
    stack.leases.end(&instance("one"), lease).await.unwrap();
    stack.is_gone(lease).await;
    stack.leases.grant(capped(&instance("two"), 3, 3)).await.unwrap();
}

#[tokio::test]
async fn an_owner_renews_up_to_the_longest_life() {
    let stack = Stack::new().await;
    let (owner, granted) = (instance("one"), stack.grant().await);
    let until = |seconds| granted.expires_at + Duration::from_secs(seconds);
    let renewed = stack.leases.renew(&owner, granted.lease_id, until(100)).await.unwrap();
    assert!(renewed.expires_at == until(100) && renewed.renewable);
    let at_target = *stack.target().accounts.lock().unwrap().values().next().unwrap();
    assert_eq!(at_target, until(100));
    for stranger in [instance("two"), Owner::Group { issuer: owner.issuer().clone(), group_id: "one".into() }] {
        let refused = stack.leases.renew(&stranger, granted.lease_id, until(200)).await;
        assert!(matches!(refused, Err(LeaseError::NotFound)), "{refused:?}");
        let refused = stack.leases.end(&stranger, granted.lease_id).await;
        assert!(matches!(refused, Err(LeaseError::NotFound)), "{refused:?}");
        assert!(stack.leases.of_owner(&stranger, ALL).await.unwrap().is_empty());
    }
    let longest = stack.leases.renew(&owner, granted.lease_id, until(1_000_000)).await.unwrap();
    assert!(longest.expires_at == until(3_300) && !longest.renewable);
    let refused = stack.leases.renew(&owner, granted.lease_id, until(1_000_000)).await;
    assert!(matches!(refused, Err(LeaseError::NotRenewable)), "{refused:?}");
    stack.advance(3_599);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(stack.target().has(granted.lease_id));
    stack.advance(1);
    stack.is_gone(granted.lease_id).await;
}

/// Somebody deleted the account at the target.
#[tokio::test]
async fn a_lease_without_its_account_is_over_when_it_is_noticed() {
    let stack = Stack::new().await;
    let granted = stack.grant().await;
    stack.target().accounts.lock().unwrap().clear();
    let refused = stack.leases.renew(&instance("one"), granted.lease_id, granted.expires_at).await;
    assert!(matches!(refused, Err(LeaseError::NotFound)), "{refused:?}");
    stack.is_gone(granted.lease_id).await;
}

#[tokio::test]
async fn what_has_begun_is_finished_before_the_end_and_nothing_begins_after() {
    let stack = Stack::new().await;
    stack.target().becomes(super::support::Mode::Hangs);
    let granting = tokio::spawn({
        let (leases, request) = (stack.leases.clone(), stack.request(&instance("one")));
        async move { leases.grant(request).await }
    });
    eventually(async || stack.leases.of_owner(&instance("one"), ALL).await.unwrap().len() == 1).await;
    stack.shutdown.request();
    eventually(async || stack.leases.0.begun.is_closed()).await;
    let late = stack.leases.grant(stack.request(&instance("two"))).await;
    assert!(matches!(late, Err(GrantError::Stopping)), "{late:?}");
    stack.target().becomes(super::support::Mode::Well);
    let granted = granting.await.unwrap().unwrap();
    assert_eq!(stack.shutdown.drain().await, cress_service::shutdown::Drained::Complete);
    assert_eq!(stack.status(granted.lease_id).await, Some(LeaseStatus::Active));
}
