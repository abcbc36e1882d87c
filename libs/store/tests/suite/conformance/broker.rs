// SPDX-License-Identifier: Apache-2.0
//! Leases, as they are given out, renewed, revoked and listed.

use std::time::Duration;

use cress_domain::{LeaseId, Timestamp};
use cress_store::Sealed;
use cress_store::broker::{
    Abandonment, Activation, BrokerStore, Caps, Ending, Intention, LeaseFilter, LeaseStatus, NewAnswer, NewLease,
    Owner, Page, Renewal, Selection, Write, Written,
};
use cress_testkit::SeededRandom;

use crate::support::{Fresh, at};

pub(crate) const ALL: Page = Page { after: None, limit: 1_000 };
pub(crate) const NO_CAPS: Caps = Caps { per_owner: u32::MAX, per_group: u32::MAX };

pub(crate) async fn open(fresh: &Fresh) -> BrokerStore {
    BrokerStore::open(&fresh.database).await.unwrap()
}

pub(crate) fn instance(id: &str) -> Owner {
    Owner::Instance { issuer: "https://issuer.example".parse().unwrap(), instance_id: id.into() }
}

/// A lease of a minute at the target `cache`, with an account there.
pub(crate) fn lease(owner: &Owner, seed: u64) -> NewLease {
    NewLease {
        id: LeaseId::generate_at(at(0) + Duration::from_millis(seed), &SeededRandom::new(seed)),
        credential: "cache-rw".parse().unwrap(),
        provider: "cache".parse().unwrap(),
        owner: owner.clone(),
        group_id: Some("group".into()),
        ending: Ending::Revoked,
        granted_at: at(0),
        expires_at: at(60),
        renew_until: at(300),
        intended_until: Some(at(90)),
        caps: NO_CAPS,
        answer: None,
    }
}

/// One that leaves nothing anywhere.
pub(crate) fn computed(owner: &Owner, seed: u64) -> NewLease {
    NewLease { ending: Ending::Lapses, intended_until: None, ..lease(owner, seed) }
}

pub(crate) async fn intend(store: &BrokerStore, leases: &[NewLease], now: Timestamp) -> Vec<Intention> {
    let writes: Vec<_> = leases.iter().map(|lease| Write::Intend(Box::new(lease.clone()))).collect();
    let intention = |written| match written {
        Written::Intention(intention) => intention,
        other => panic!("{other:?}"),
    };
    store.write(&writes, now).await.unwrap().into_iter().map(intention).collect()
}

pub(crate) async fn activate(store: &BrokerStore, leases: &[LeaseId], now: Timestamp) -> Vec<bool> {
    let activation = |lease: &LeaseId| Write::Activate(Activation { lease: *lease, expires_at: None, answer: None });
    let writes: Vec<_> = leases.iter().map(activation).collect();
    let written = store.write(&writes, now).await.unwrap();
    written.into_iter().map(|written| written == Written::Activated(true)).collect()
}

pub(crate) async fn active(store: &BrokerStore, lease: &NewLease) {
    assert_eq!(intend(store, std::slice::from_ref(lease), at(0)).await, [Intention::Written]);
    assert_eq!(activate(store, &[lease.id], at(1)).await, [true]);
}

async fn status(store: &BrokerStore, lease: LeaseId) -> LeaseStatus {
    store.lease(lease).await.unwrap().unwrap().status
}

pub(crate) async fn a_lease_is_kept_whole(fresh: &Fresh) {
    let store = open(fresh).await;
    let deployment = store.deployment_id(&SeededRandom::new(1)).await.unwrap();
    assert_eq!(store.deployment_id(&SeededRandom::new(2)).await.unwrap(), deployment);
    let new = lease(&instance("one"), 1);
    assert_eq!(intend(&store, std::slice::from_ref(&new), at(0)).await, [Intention::Written]);
    let kept = store.lease(new.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.ending, kept.due_at), (LeaseStatus::Intended, Ending::Revoked, at(90)));
    assert_eq!((kept.credential, kept.provider, kept.owner.as_str()), (new.credential, new.provider, "instance one"));
    assert_eq!((kept.granted_at, kept.expires_at, kept.renew_until), (at(0), at(60), at(300)));

    let shorter = Activation { lease: new.id, expires_at: Some(at(30)), answer: None };
    let written = store.write(&[Write::Activate(shorter.clone())], at(1)).await.unwrap();
    assert_eq!(written, [Written::Activated(true)]);
    let kept = store.lease(new.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.expires_at, kept.due_at), (LeaseStatus::Active, at(30), at(30)));
    assert_eq!(store.write(&[Write::Activate(shorter)], at(2)).await.unwrap(), [Written::Activated(false)]);

    let error = format!("a\0b\n{}", "x".repeat(5_000));
    let abandonment = Abandonment { lease: new.id, error, answer: None };
    store.write(&[Write::Abandon(abandonment)], at(3)).await.unwrap();
    let kept = store.lease(new.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.due_at, kept.owed_since), (LeaseStatus::Revoking, at(3), Some(at(3))));
    assert!(kept.last_error.unwrap().starts_with("a b x"), "what a target says must fit every engine");
    assert_eq!(store.lease(LeaseId::from_bytes([9; 16])).await.unwrap(), None);
}

pub(crate) async fn caps_are_counted_where_they_are_checked(fresh: &Fresh) {
    let store = open(fresh).await;
    let capped =
        |owner: &str, seed| NewLease { caps: Caps { per_owner: 2, per_group: 5 }, ..computed(&instance(owner), seed) };
    let together = [capped("one", 1), capped("one", 2), capped("one", 3), capped("two", 4)];
    let expected = [Intention::Written, Intention::Written, Intention::TooManyOfOwner, Intention::Written];
    assert_eq!(intend(&store, &together, at(0)).await, expected);
    assert_eq!(intend(&store, &[capped("one", 5)], at(0)).await, [Intention::TooManyOfOwner]);
    let more = [capped("two", 6), capped("three", 7), capped("three", 8)];
    let expected = [Intention::Written, Intention::Written, Intention::TooManyOfGroup];
    assert_eq!(intend(&store, &more, at(0)).await, expected);
    // Another group, another credential and another issuer are counted apart.
    let mut others = [capped("four", 9), capped("one", 10), capped("one", 11)];
    others[0].group_id = Some("another".into());
    others[1].credential = "cache-ro".parse().unwrap();
    others[2].owner = Owner::Instance { issuer: "https://other.example".parse().unwrap(), instance_id: "one".into() };
    assert_eq!(intend(&store, &others, at(0)).await, [Intention::Written, Intention::Written, Intention::Written]);
    assert_eq!(store.counts_by_provider().await.unwrap(), [("cache".to_owned(), 8)]);
    // What is over makes room.
    assert_eq!(store.lapse(at(61), 3).await.unwrap(), 3);
    assert_eq!(store.lapse(at(61), 100).await.unwrap(), 5);
    assert_eq!(store.counts_by_provider().await.unwrap(), []);
    assert_eq!(intend(&store, &[capped("one", 12)], at(61)).await, [Intention::Written]);
}

fn with_answer(owner: &str, seed: u64, request: u8) -> NewLease {
    let answer = NewAnswer { key: [7; 32], request: [request; 32], until: at(120), sealed: None };
    NewLease { answer: Some(answer), ..lease(&instance(owner), seed) }
}

pub(crate) async fn an_answer_is_given_again_and_then_erased(fresh: &Fresh) {
    let store = open(fresh).await;
    let first = with_answer("one", 1, 1);
    let both = intend(&store, &[first.clone(), with_answer("one", 2, 1)], at(0)).await;
    assert_eq!(both, [Intention::Written, Intention::InProgress], "one transaction");
    assert_eq!(intend(&store, &[with_answer("one", 3, 1)], at(1)).await, [Intention::InProgress]);
    assert_eq!(intend(&store, &[with_answer("one", 3, 2)], at(1)).await, [Intention::KeyReused]);
    let sealed = Sealed { key_encryption_key: "kek".into(), bytes: vec![1, 2, 3] };
    let answer = Some(([7; 32], sealed.clone()));
    store.write(&[Write::Activate(Activation { lease: first.id, expires_at: None, answer })], at(2)).await.unwrap();
    match &intend(&store, &[with_answer("one", 4, 1)], at(3)).await[..] {
        [Intention::Answered(kept)] => {
            assert_eq!((kept.lease, kept.expires_at, &kept.sealed), (first.id, at(60), &sealed));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(intend(&store, &[with_answer("one", 4, 2)], at(3)).await, [Intention::KeyReused]);
    // An answer whose lease is over is worth nothing.
    store.revoke(&Selection::Lease(first.id), None, at(4), 1).await.unwrap();
    let second = with_answer("one", 5, 2);
    assert_eq!(intend(&store, std::slice::from_ref(&second), at(5)).await, [Intention::Written]);
    // One that was never given out frees its key.
    let abandonment = Abandonment { lease: second.id, error: "x".into(), answer: Some([7; 32]) };
    store.write(&[Write::Abandon(abandonment)], at(6)).await.unwrap();
    assert_eq!(intend(&store, &[with_answer("one", 6, 1)], at(7)).await, [Intention::Written]);
    // In the end nothing is left of it.
    assert!(store.is_anything_over(at(121)).await.unwrap());
    store.lapse(at(121), 10).await.unwrap();
    assert!(!store.is_anything_over(at(121)).await.unwrap());
    assert_eq!(intend(&store, &[with_answer("one", 7, 2)], at(8)).await, [Intention::Written]);
}

pub(crate) async fn an_owner_alone_renews_and_ends(fresh: &Fresh) {
    let store = open(fresh).await;
    let (mine, new) = (instance("one"), lease(&instance("one"), 1));
    active(&store, &new).await;
    let issuer = "https://other.example".parse().unwrap();
    let strangers = [
        instance("two"),
        Owner::Instance { issuer, instance_id: "one".into() },
        Owner::Subject { issuer: "https://issuer.example".parse().unwrap(), subject: "one".into() },
    ];
    let renew = async |owner: &Owner, expires_at, now| {
        let renewal = Renewal { lease: new.id, owner: owner.clone(), expires_at };
        match &store.write(&[Write::Renew(renewal)], now).await.unwrap()[..] {
            [Written::Renewed(renewed)] => renewed.as_ref().map(|renewed| renewed.expires_at),
            other => panic!("{other:?}"),
        }
    };
    for stranger in &strangers {
        assert_eq!(renew(stranger, at(100), at(2)).await, None);
        assert!(!store.end(stranger, new.id, at(2)).await.unwrap());
        assert_eq!(store.leases_of(stranger, ALL).await.unwrap(), []);
        assert_eq!(store.lease_of(stranger, new.id).await.unwrap(), None);
    }
    assert_eq!(renew(&mine, at(100), at(2)).await, Some(at(100)));
    assert_eq!(renew(&mine, at(50), at(2)).await, Some(at(100)), "never shorter");
    assert_eq!(renew(&mine, at(1_000), at(2)).await, Some(at(300)), "never beyond its longest life");
    assert_eq!(store.lease(new.id).await.unwrap().unwrap().due_at, at(300));
    assert_eq!(renew(&mine, at(400), at(300)).await, None, "what is over is over");
    assert_eq!(store.leases_of(&mine, ALL).await.unwrap().len(), 1);
    assert!(store.end(&mine, new.id, at(3)).await.unwrap());
    assert!(!store.end(&mine, new.id, at(3)).await.unwrap());
    assert_eq!(status(&store, new.id).await, LeaseStatus::Revoking);
    assert_eq!(renew(&mine, at(100), at(4)).await, None);
}

/// Ids are what tenants and their issuers choose.
pub(crate) async fn hostile_ids_are_kept_apart(fresh: &Fresh) {
    let store = open(fresh).await;
    let long = "x".repeat(10_000);
    let ids =
        ["", "'", "%", "a\0", "a", "a ", "\u{1}", "*", "one/two", long.as_str(), "ü", "';DROP TABLE broker_leases;--"];
    let leases: Vec<_> =
        (1..).zip(ids).map(|(seed, id)| NewLease { group_id: Some(id.into()), ..lease(&instance(id), seed) }).collect();
    assert!(intend(&store, &leases, at(0)).await.iter().all(|one| *one == Intention::Written));
    for (new, id) in leases.iter().zip(ids) {
        let found = store.leases_of(&instance(id), ALL).await.unwrap();
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [new.id], "{id:?}");
        let filter = LeaseFilter { group_id: Some(id.into()), ..LeaseFilter::default() };
        assert_eq!(store.leases(&filter, ALL).await.unwrap().len(), 1, "{id:?}");
    }
    let selection = Selection::Instance { issuer: None, instance_id: "%".into() };
    assert_eq!(store.revoke(&selection, None, at(1), 10).await.unwrap().leases, 1);
}

pub(crate) async fn selections_are_revoked_whole(fresh: &Fresh) {
    let store = open(fresh).await;
    let mut leases: Vec<_> = (0..20).map(|seed| lease(&instance(&format!("i{}", seed % 4)), seed)).collect();
    leases[1].credential = "cache-ro".parse().unwrap();
    leases[2].provider = "other".parse().unwrap();
    leases[3].owner = Owner::Instance { issuer: "https://other.example".parse().unwrap(), instance_id: "i3".into() };
    leases[19] = computed(&instance("i3"), 19);
    leases[18].granted_at = at(50);
    intend(&store, &leases, at(0)).await;
    activate(&store, &leases.iter().map(|one| one.id).collect::<Vec<_>>(), at(1)).await;
    let revoke = async |selection: &Selection| {
        let (mut after, mut count) = (None, 0);
        loop {
            let part = store.revoke(selection, after, at(2), 3).await.unwrap();
            (after, count) = (part.next_after, count + part.leases);
            if after.is_none() {
                return count;
            }
        }
    };
    let issuer: cress_domain::Issuer = "https://issuer.example".parse().unwrap();
    for (selection, count) in [
        (Selection::Lease(leases[0].id), 1),
        (Selection::Lease(leases[0].id), 0),
        (Selection::Credential("cache-ro".parse().unwrap()), 1),
        (Selection::Provider("other".parse().unwrap()), 1),
        (Selection::Instance { issuer: Some(issuer.clone()), instance_id: "i3".into() }, 4),
        (Selection::Instance { issuer: None, instance_id: "i3".into() }, 1),
        // What is granted while it goes on is none of it.
        (Selection::Issuer(issuer), 11),
    ] {
        assert_eq!(revoke(&selection).await, count, "{selection:?}");
    }
    assert_eq!(status(&store, leases[18].id).await, LeaseStatus::Active);
    // Nothing ends it before its time.
    let kept = store.lease(leases[19].id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.due_at, kept.owed_since), (LeaseStatus::Revoking, at(60), None));
}

pub(crate) async fn lists_have_pages(fresh: &Fresh) {
    let store = open(fresh).await;
    let leases: Vec<_> = (0..10).map(|seed| lease(&instance("one"), seed)).collect();
    intend(&store, &leases, at(0)).await;
    let expected: Vec<_> = leases.iter().map(|one| one.id).collect();
    for by_owner in [true, false] {
        let (mut page, mut found) = (Page { after: None, limit: 3 }, Vec::new());
        loop {
            let part = match by_owner {
                true => store.leases_of(&instance("one"), page).await.unwrap(),
                false => store.leases(&LeaseFilter::default(), page).await.unwrap(),
            };
            let Some(last) = part.last() else { break };
            page.after = Some(last.id);
            found.extend(part.iter().map(|one| one.id));
        }
        assert_eq!(found, expected);
    }
    let filter = |change: fn(&mut LeaseFilter)| {
        let mut filter = LeaseFilter::default();
        change(&mut filter);
        filter
    };
    for (filter, count) in [
        (filter(|one| one.status = Some(LeaseStatus::Intended)), 10),
        (filter(|one| one.status = Some(LeaseStatus::Active)), 0),
        (filter(|one| one.instance_id = Some("one".into())), 10),
        (filter(|one| one.instance_id = Some("two".into())), 0),
        (filter(|one| one.credential = Some("cache-ro".parse().unwrap())), 0),
        (filter(|one| one.provider = Some("cache".parse().unwrap())), 10),
        (filter(|one| one.issuer = Some("https://other.example".parse().unwrap())), 0),
    ] {
        assert_eq!(store.leases(&filter, ALL).await.unwrap().len(), count, "{filter:?}");
    }
}

pub(crate) async fn writes_of_two_replicas_keep_the_caps(fresh: &Fresh) {
    let first = open(fresh).await;
    let second = BrokerStore::open(&fresh.another_replica().await).await.unwrap();
    let caps = Caps { per_owner: 5, per_group: u32::MAX };
    let tasks: Vec<_> = (0..20)
        .map(|seed| {
            let store = if seed % 2 == 0 { first.clone() } else { second.clone() };
            let new = NewLease { caps, ..lease(&instance("one"), seed) };
            tokio::spawn(async move { intend(&store, &[new], at(0)).await })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        written += task.await.unwrap().into_iter().filter(|one| *one == Intention::Written).count();
    }
    assert_eq!((written, first.leases_of(&instance("one"), ALL).await.unwrap().len()), (5, 5));
}

pub(crate) async fn a_store_that_went_back_is_noticed(fresh: &Fresh) {
    let store = open(fresh).await;
    let minute = Duration::from_secs(60);
    let first = store.beat(at(0), minute).await.unwrap();
    let second = store.beat(at(30), minute).await.unwrap();
    assert!(second.number > first.number);
    assert_eq!(store.gaps().await.unwrap(), []);
    store.beat(at(300), minute).await.unwrap();
    assert_eq!(store.gaps().await.unwrap(), [(at(30), at(300))]);
    store.beat(at(100 * 24 * 3_600), minute).await.unwrap();
    assert_eq!(store.gaps().await.unwrap().len(), 1, "what is old is forgotten");
}
