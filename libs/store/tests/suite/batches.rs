// SPDX-License-Identifier: Apache-2.0
//! What comes in thousands is written in few statements: each is a round trip to the database, during which every other writer waits.

use std::sync::atomic::{AtomicUsize, Ordering};

use cress_store::{Database, DatabaseUrl};

use crate::child;
use crate::support::Fleet;

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

#[tokio::test]
async fn a_thousand_deletion_costs_take_few_statements() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = child::start("batches::counts_its_statements", &directory.path().join("store.db"));
    let statements: usize = writer.line().parse().unwrap();
    assert!((4..=6).contains(&statements), "{statements} statements");
}

/// Only ever does something as the child of the test above: what counts is hung in for good.
#[tokio::test]
async fn counts_its_statements() {
    let Some(path) = child::told() else { return };
    let fleet = Fleet::open(&Database::open(&DatabaseUrl::sqlite(path)).await.unwrap()).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    let costs: Vec<_> = fleet.place(group, machine, 1_000).await.into_iter().map(|id| (id, 7)).collect();
    cress_domain::fault::at_points(|name| {
        STATEMENTS.fetch_add(usize::from(name.contains("statement")), Ordering::Relaxed);
    });
    fleet.store.set_deletion_costs(machine, &costs).await.unwrap();
    child::say(STATEMENTS.load(Ordering::Relaxed));
}
