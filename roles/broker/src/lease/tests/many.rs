// SPDX-License-Identifier: Apache-2.0
//! Many leases at once, dead targets among them, several brokers on one store; and whatever may happen, in any order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cress_domain::{AccountName, Clock, LeaseId};
use cress_provider::Footprint;
use cress_store::broker::{Activation, Ending, NewLease, Write};
use cress_testkit::SeededRandom;

use super::support::{Mode, Stack, Target, eventually, instance, settings};
use crate::lease::{Caps, LeaseFilter, LeaseStatus, Page};

/// Puts leases that are good into the store, and their accounts into the targets.
async fn granted(stack: &Stack, count: usize) {
    let now = stack.clock.now();
    let random = SeededRandom::new(5);
    let leases: Vec<NewLease> = (0..count)
        .map(|index| NewLease {
            id: LeaseId::generate_at(now, &random),
            credential: super::support::credential(),
            provider: format!("target-{}", index % stack.targets.len()).parse().unwrap(),
            owner: instance(&format!("i{index}")),
            group_id: Some("group".into()),
            ending: Ending::Revoked,
            granted_at: now,
            expires_at: now + Duration::from_secs(300),
            renew_until: now + Duration::from_secs(300),
            intended_until: Some(now + Duration::from_secs(90)),
            caps: Caps { per_owner: u32::MAX, per_group: u32::MAX },
            answer: None,
        })
        .collect();
    for (part, index) in leases.chunks(1_000).zip(0..) {
        let intents: Vec<_> = part.iter().map(|lease| Write::Intend(Box::new(lease.clone()))).collect();
        stack.store.write(&intents, now).await.unwrap();
        let activation = |lease: &NewLease| Activation { lease: lease.id, expires_at: None, answer: None };
        let active: Vec<_> = part.iter().map(|lease| Write::Activate(activation(lease))).collect();
        stack.store.write(&active, now).await.unwrap();
        for (lease, number) in part.iter().zip(index * 1_000..) {
            let account = AccountName::of(stack.leases.deployment(), lease.id);
            stack.targets[number % stack.targets.len()].accounts.lock().unwrap().insert(account, now);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_target_delays_no_other() {
    let targets = (0..3).map(|_| Target::new(Footprint::Account)).collect();
    let stack = Stack::with(targets, settings()).await;
    granted(&stack, 10_000).await;
    stack.targets[1].becomes(Mode::Hangs);
    stack.advance(300);
    eventually(async || stack.targets[0].leases().is_empty() && stack.targets[2].leases().is_empty()).await;
    assert_eq!(stack.targets[1].leases().len(), 3_333);
    let state = &stack.leases.targets().await.unwrap()[1];
    assert_eq!(state.leases, 3_333);
    stack.targets[1].becomes(Mode::Well);
    eventually(async || {
        stack.clock.advance(Duration::from_millis(100));
        stack.targets[1].leases().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_on_one_store_share_the_work() {
    let stack = Stack::new().await;
    let other = stack.another(settings()).await;
    granted(&stack, 2_000).await;
    other.advance(300);
    eventually(async || stack.target().leases().is_empty()).await;
    assert_eq!(stack.target().revoked.load(Ordering::Relaxed), 2_000, "nothing is done twice");
    let filter = LeaseFilter { status: Some(LeaseStatus::Revoking), ..LeaseFilter::default() };
    eventually(async || stack.store.leases(&filter, Page { after: None, limit: 1 }).await.unwrap().is_empty()).await;
    let told = stack.heard.0.lock().unwrap().len() + other.heard.0.lock().unwrap().len();
    assert_eq!(told, 2_000);
}

/// Whatever happens in whatever order: in the end the target has the accounts of live leases and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_end_there_are_the_accounts_of_live_leases() {
    for seed in 0..4 {
        let random = SeededRandom::new(seed);
        let choose = |among: usize| {
            let mut bytes = [0; 8];
            cress_domain::Random::fill(&random, &mut bytes);
            usize::try_from(u64::from_le_bytes(bytes) % among as u64).unwrap()
        };
        let mut stack = Stack::new().await;
        let mut known: Vec<(String, LeaseId)> = Vec::new();
        for step in 0..60 {
            match choose(9) {
                0..=3 => {
                    let owner = format!("i{}", choose(5));
                    if let Ok(granted) = stack.leases.grant(stack.request(&instance(&owner))).await {
                        known.push((owner, granted.lease_id));
                    }
                }
                4 if !known.is_empty() => {
                    let (owner, lease) = &known[choose(known.len())];
                    let _over = stack.leases.end(&instance(owner), *lease).await;
                }
                5 if !known.is_empty() => {
                    let (owner, lease) = &known[choose(known.len())];
                    let until = stack.clock.now() + Duration::from_secs(200);
                    let _over = stack.leases.renew(&instance(owner), *lease, until).await;
                }
                6 => stack.target().becomes([Mode::Well, Mode::Away, Mode::Mute, Mode::Refuses][choose(4)]),
                7 => stack.advance(choose(120) as u64),
                // It dies, and another takes over.
                _ if step % 3 == 0 => {
                    stack.database.close().await;
                    stack.shutdown.request();
                    stack = stack.another(settings()).await;
                }
                _ => tokio::time::sleep(Duration::from_millis(3)).await,
            }
        }
        stack.target().becomes(Mode::Well);
        let live = async || -> Option<std::collections::BTreeSet<LeaseId>> {
            let page = Page { after: None, limit: 1_000 };
            let all = stack.store.leases(&LeaseFilter::default(), page).await.unwrap();
            let pending = |status| matches!(status, LeaseStatus::Intended | LeaseStatus::Revoking);
            let settled = !all.iter().any(|lease| pending(lease.status));
            settled.then(|| all.iter().filter(|one| one.status == LeaseStatus::Active).map(|one| one.id).collect())
        };
        eventually(async || {
            stack.clock.advance(Duration::from_millis(500));
            live().await.is_some_and(|live| live == stack.target().leases())
        })
        .await;
        stack.advance(400);
        eventually(async || stack.target().leases().is_empty()).await;
    }
}
