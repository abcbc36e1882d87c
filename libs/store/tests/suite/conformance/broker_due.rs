// SPDX-License-Identifier: Apache-2.0
//! Leases that are over: who ends them, and when they are forgotten.

use std::time::Duration;

use cress_store::broker::{
    BrokerStore, FailedRevocation, GONE_LIFE, Intention, LeaseStatus, NewLease, Owed, Selection, TargetRecord,
};

use super::broker::{activate, active, computed, instance, intend, lease, open};
use crate::support::{Fresh, at};

fn cache() -> cress_domain::ProviderName {
    "cache".parse().unwrap()
}

async fn many(store: &BrokerStore, count: u64) -> Vec<NewLease> {
    let leases: Vec<_> = (0..count).map(|seed| lease(&instance(&format!("i{seed}")), seed)).collect();
    assert!(intend(store, &leases, at(0)).await.iter().all(|one| *one == Intention::Written));
    activate(store, &leases.iter().map(|one| one.id).collect::<Vec<_>>(), at(1)).await;
    leases
}

pub(crate) async fn what_is_due_is_claimed_once(fresh: &Fresh) {
    let store = open(fresh).await;
    let other = BrokerStore::open(&fresh.another_replica().await).await.unwrap();
    let leases = many(&store, 100).await;
    assert_eq!(store.claim(&cache(), at(59), at(89), 1_000).await.unwrap(), []);
    assert_eq!(store.next_due(&cache()).await.unwrap(), Some(at(60)));
    let tasks: Vec<_> = (0..10)
        .map(|index| {
            let store = if index % 2 == 0 { store.clone() } else { other.clone() };
            tokio::spawn(async move { store.claim(&cache(), at(60), at(90), 15).await.unwrap() })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap().into_iter().map(|due| due.id));
    }
    claimed.sort_unstable();
    assert_eq!(claimed, leases.iter().map(|one| one.id).collect::<Vec<_>>());
}

pub(crate) async fn a_claim_ends_by_itself(fresh: &Fresh) {
    let store = open(fresh).await;
    let leases = many(&store, 2).await;
    let claim = async |now| {
        let due = store.claim(&cache(), at(now), at(now + 30), 10).await.unwrap();
        due.into_iter().map(|due| due.attempts).collect::<Vec<_>>()
    };
    assert_eq!(claim(60).await, [0, 0]);
    assert_eq!(claim(89).await, [0; 0]);
    assert_eq!(claim(90).await, [0, 0]);
    let failure = |due| FailedRevocation { lease: leases[0].id, due_at: at(due), error: "it is away".into() };
    store.failed(&[failure(95)]).await.unwrap();
    store.postpone(&[leases[1].id], at(91)).await.unwrap();
    assert_eq!(claim(91).await, [0]);
    assert_eq!(claim(95).await, [1]);
    let kept = store.lease(leases[0].id).await.unwrap().unwrap();
    assert_eq!((kept.owed_since, kept.last_error.as_deref()), (Some(at(60)), Some("it is away")));

    // An intent that nobody heard of again is due when it is old, and says that it may yet be made.
    let intent = lease(&instance("x"), 500);
    intend(&store, std::slice::from_ref(&intent), at(100)).await;
    let due = store.claim(&cache(), at(100), at(500), 1).await.unwrap();
    assert_eq!((due[0].id, due[0].unconfirmed_since), (intent.id, Some(at(0))), "the longest due first");
    assert_eq!(activate(&store, &[intent.id], at(101)).await, [false]);
}

pub(crate) async fn what_is_gone_is_forgotten_later(fresh: &Fresh) {
    let store = open(fresh).await;
    let leases = many(&store, 70).await;
    let ids: Vec<_> = leases.iter().map(|one| one.id).collect();
    assert_eq!(store.gone(&ids, at(60)).await.unwrap(), 0, "what is active is not gone");
    store.claim(&cache(), at(60), at(90), 100).await.unwrap();
    assert_eq!(store.gone(&ids, at(61)).await.unwrap(), 70);
    assert_eq!(store.gone(&ids, at(61)).await.unwrap(), 0);
    assert_eq!(store.counts_by_provider().await.unwrap(), []);
    assert_eq!(store.lease(ids[0]).await.unwrap().unwrap().status, LeaseStatus::Gone);
    assert_eq!(store.live_of(&ids).await.unwrap().len(), 0);
    assert_eq!(store.next_due(&cache()).await.unwrap(), None);
    assert_eq!(store.lapse(at(62), 100).await.unwrap(), 0);
    assert_eq!(store.lapse(at(61) + GONE_LIFE, 100).await.unwrap(), 70);
    assert_eq!(store.lease(ids[0]).await.unwrap(), None);
    assert_eq!(store.counts_by_provider().await.unwrap(), [], "nobody is counted out twice");
}

pub(crate) async fn what_leaves_nothing_lapses(fresh: &Fresh) {
    let store = open(fresh).await;
    let leases: Vec<_> = (0..3).map(|seed| computed(&instance("one"), seed)).collect();
    intend(&store, &leases, at(0)).await;
    assert_eq!(store.claim(&cache(), at(100), at(130), 10).await.unwrap(), []);
    store.revoke(&Selection::Lease(leases[0].id), None, at(1), 1).await.unwrap();
    assert!(!store.is_anything_over(at(59)).await.unwrap());
    assert_eq!(store.live_of(&[leases[0].id]).await.unwrap().len(), 1);
    assert!(store.is_anything_over(at(60)).await.unwrap());
    assert_eq!(store.lapse(at(60), 10).await.unwrap(), 3);
    assert_eq!(store.lease(leases[1].id).await.unwrap(), None);
}

pub(crate) async fn what_is_owed_is_told(fresh: &Fresh) {
    let store = open(fresh).await;
    assert_eq!(store.owed(&cache(), at(0)).await.unwrap(), Owed::default());
    let leases = many(&store, 5).await;
    let other = NewLease { provider: "other".parse().unwrap(), ..lease(&instance("one"), 50) };
    active(&store, &other).await;
    assert_eq!(store.owed(&cache(), at(59)).await.unwrap(), Owed::default());
    let owed =
        |due, oldest, error: Option<&str>| Owed { due, oldest: Some(at(oldest)), last_error: error.map(str::to_owned) };
    assert_eq!(store.owed(&cache(), at(60)).await.unwrap(), owed(5, 60, None));
    store.revoke(&Selection::Lease(leases[4].id), None, at(10), 1).await.unwrap();
    assert_eq!(store.owed(&cache(), at(11)).await.unwrap(), owed(1, 10, None));
    store.claim(&cache(), at(60), at(90), 3).await.unwrap();
    let failure = FailedRevocation { lease: leases[4].id, due_at: at(1_000), error: "it is away".into() };
    store.failed(&[failure]).await.unwrap();
    assert_eq!(store.owed(&cache(), at(70)).await.unwrap(), owed(5, 10, Some("it is away")));
    assert_eq!(store.counts_by_provider().await.unwrap(), [("cache".to_owned(), 5), ("other".to_owned(), 1)]);
}

pub(crate) async fn a_comparison_has_one_turn(fresh: &Fresh) {
    let store = open(fresh).await;
    let hour = Duration::from_secs(3_600);
    let claim = async |now| store.claim_comparison(&cache(), at(now), at(now + 600), at(now) - hour).await.unwrap();
    assert_eq!(store.target(&cache()).await.unwrap(), TargetRecord::default());
    assert!(claim(0).await);
    assert!(!claim(599).await, "somebody has it");
    assert!(claim(600).await, "and is gone");
    store.note_comparison(&cache(), 3, Some("too many"), at(700)).await.unwrap();
    assert!(!claim(800).await, "not so soon");
    store.note_comparison(&cache(), 4, Some("too many"), at(701)).await.unwrap();
    let record = store.target(&cache()).await.unwrap();
    assert_eq!((record.strays, record.held), (4, Some((at(700), "too many".to_owned()))));
    assert!(store.release(&cache(), at(5_000)).await.unwrap());
    assert!(claim(1_500).await, "at once when it is released");
    assert_eq!(store.target(&cache()).await.unwrap().released_until, Some(at(5_000)));
    store.note_comparison(&cache(), 0, None, at(1_600)).await.unwrap();
    assert_eq!(store.target(&cache()).await.unwrap().held, None);
    assert!(!store.release(&cache(), at(9_000)).await.unwrap(), "nothing is held");
}
