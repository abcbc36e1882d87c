// SPDX-License-Identifier: Apache-2.0
//! The same request again, and one credential for many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cress_provider::{FieldValue, Footprint};

use super::support::{Mode, Stack, Target, eventually, instance, settings};
use crate::lease::{GrantError, Granted, Idempotency, Offer, Owner, Request, Sharing};

fn repeated(stack: &Stack, owner: &str, key: u8, request: u8) -> Request {
    let idempotency = Some(Idempotency { key: [key; 32], request: [request; 32] });
    Request { idempotency, ..stack.request(&instance(owner)) }
}

fn password(granted: &Granted) -> String {
    match &granted.issued.fields["password"] {
        FieldValue::Secret(secret) => secret.expose().clone(),
        other => panic!("{other:?}"),
    }
}

async fn check_repeats(footprint: Footprint) {
    let stack = Stack::with(vec![Target::new(footprint)], settings()).await;
    let first = stack.leases.grant(repeated(&stack, "one", 1, 1)).await.unwrap();
    stack.advance(100);
    let again = stack.leases.grant(repeated(&stack, "one", 1, 1)).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(
        (again.lease_id, again.expires_at, password(&again)),
        (first.lease_id, first.expires_at, password(&first))
    );
    let other = stack.leases.grant(repeated(&stack, "one", 1, 2)).await;
    assert!(matches!(other, Err(GrantError::KeyReused)), "{other:?}");
    // Another's key is another key.
    let stranger = stack.leases.grant(repeated(&stack, "two", 1, 1)).await.unwrap();
    assert_ne!(stranger.lease_id, first.lease_id);
    stack.advance(20);
    eventually(async || !stack.store.is_anything_over(cress_domain::Clock::now(&*stack.clock)).await.unwrap()).await;
    let later = stack.leases.grant(repeated(&stack, "one", 1, 2)).await.unwrap();
    assert!(!later.replayed && later.lease_id != first.lease_id);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_for_two_minutes() {
    check_repeats(Footprint::Account).await;
    check_repeats(Footprint::Nothing).await;
}

#[tokio::test]
async fn who_repeats_too_soon_is_told_to_wait_and_who_failed_may_repeat() {
    let stack = Stack::new().await;
    stack.target().becomes(Mode::Hangs);
    let first = tokio::spawn({
        let (leases, request) = (stack.leases.clone(), repeated(&stack, "one", 1, 1));
        async move { leases.grant(request).await }
    });
    eventually(async || {
        !stack.store.leases(&Default::default(), crate::lease::Page { after: None, limit: 1 }).await.unwrap().is_empty()
    })
    .await;
    let second = stack.leases.grant(repeated(&stack, "one", 1, 1)).await;
    assert!(matches!(second, Err(GrantError::InProgress { .. })), "{second:?}");
    stack.target().becomes(Mode::Refuses);
    assert!(matches!(first.await.unwrap(), Err(GrantError::Provider(_))));
    stack.target().becomes(Mode::Well);
    let third = stack.leases.grant(repeated(&stack, "one", 1, 2)).await.unwrap();
    assert!(!third.replayed);
}

fn shared(stack: &Stack, group: &str) -> Request {
    let issuer = "https://issuer.example".parse().unwrap();
    let mut request = stack.request(&Owner::Group { issuer, group_id: group.into() });
    request.offer = Arc::new(Offer { sharing: Sharing::Group, ..(*request.offer).clone() });
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_replicas_of_a_group_get_one_credential() {
    let stack = Stack::new().await;
    // Some of them ask another broker on the same store.
    let other = stack.another(settings()).await;
    let tasks: Vec<_> = (0..20)
        .map(|index| {
            let (leases, request) =
                (if index % 2 == 0 { &stack } else { &other }.leases.clone(), shared(&stack, "one"));
            tokio::spawn(async move { leases.grant(request).await.unwrap() })
        })
        .collect();
    let mut found = BTreeSet::new();
    for task in tasks {
        let granted = task.await.unwrap();
        found.insert((granted.lease_id, password(&granted)));
    }
    assert_eq!((found.len(), stack.target().issued.load(Ordering::Relaxed)), (1, 1));
    let mut parameters = shared(&stack, "one");
    parameters.parameters.insert("database".into(), "a".into());
    for request in [shared(&stack, "two"), parameters] {
        assert!(!stack.leases.grant(request).await.unwrap().replayed);
    }
    // Nobody is given what is about to end.
    stack.advance(151);
    assert!(!stack.leases.grant(shared(&stack, "one")).await.unwrap().replayed);
}
