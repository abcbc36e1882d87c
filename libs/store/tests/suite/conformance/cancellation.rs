// SPDX-License-Identifier: Apache-2.0
//! A caller that goes away half-way, as when its own caller hangs up.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use cress_store::control::PlacementPlan;

use crate::support::{Fleet, Fresh, Replica, at};

/// Polls at most this often, then drops the future.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

pub(crate) async fn a_dropped_call_leaves_the_whole_or_nothing(fresh: &Fresh) {
    const PLACED: usize = 5;
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    let (mut finished, mut live) = (0, 0);
    for polls in 0..30 {
        let before = fleet.store.revision().await.unwrap();
        let place = (0..PLACED).map(|_| fleet.instance(group, machine)).collect();
        let plan = PlacementPlan { place, end: vec![] };
        let outcome = dropped_after(polls, fleet.store.apply_placement(&plan, before, at(1))).await;
        finished += usize::from(outcome.is_some());
        // A write after it shows that the connection was given back clean.
        let after = fleet.store.scale(group, 3).await.unwrap();
        let snapshot = fleet.store.snapshot().await.unwrap();
        let placed = snapshot.instances.len() - live;
        let taken = after.number() - before.number() - 1;
        assert!(
            (placed, taken) == (PLACED, 1) || (placed, taken, outcome.is_none()) == (0, 0, true),
            "after {polls} polls {placed} were placed and {taken} revisions taken"
        );
        live = snapshot.instances.len();
        let mut replica = Replica::default();
        replica.follow(&fleet.store).await;
        assert_eq!(replica, Replica::load(snapshot));
    }
    assert!(finished > 0, "no call was let finish");
}
