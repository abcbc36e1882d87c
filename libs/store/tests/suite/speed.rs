// SPDX-License-Identifier: Apache-2.0
//! How long a replica takes to learn of a large fleet. It prints, it does not judge: `cargo test -p cress-store --release --
//! --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use cress_store::control::PlacementPlan;

use crate::support::{Fleet, at};

const NODES: u8 = 200;
const GROUPS: usize = 200;
const INSTANCES_OF_A_NODE: usize = 500;

#[expect(clippy::disallowed_methods, reason = "measures the machine")]
fn now() -> Instant {
    Instant::now()
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = now();
    let result = work.await;
    (result, start.elapsed())
}

fn resident_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

#[tokio::test]
#[ignore = "measures"]
async fn a_hundred_thousand_instances() {
    let fresh = crate::sqlite::fresh().await;
    let fleet = Fleet::open(&fresh.database).await;
    let mut groups = Vec::new();
    for index in 0..GROUPS {
        groups.push(fleet.group(&format!("group-{index}")).await);
    }
    let mut place = Vec::new();
    for key in 0..NODES {
        let machine = fleet.node(key).await;
        place.extend((0..INSTANCES_OF_A_NODE).map(|index| fleet.instance(groups[index % GROUPS], machine)));
    }
    let (count, one) = (place.len(), place[0]);
    let plan = PlacementPlan { place, end: vec![] };
    let revision = fleet.store.revision().await.unwrap();
    let (placed, took) = timed(fleet.store.apply_placement(&plan, revision, at(1))).await;
    println!("place {count} instances: {took:?}");
    drop(plan);

    let before = resident_mebibytes();
    let (snapshot, took) = timed(fleet.store.snapshot()).await;
    println!("load {count} instances: {took:?}, {before} to {} MiB resident", resident_mebibytes());
    assert_eq!(snapshot.unwrap().instances.len(), count);

    let (_, took) = timed(async { fleet.store.changes_since(placed.clone().unwrap()).await.unwrap() }).await;
    println!("learn that nothing has changed: {took:?}");
    fleet.store.set_deletion_costs(one.machine_id, &[(one.id, 1)]).await.unwrap();
    let (_, took) = timed(fleet.changes_since(placed.unwrap())).await;
    println!("learn of one change: {took:?}");
    let (_, took) = timed(async {
        for cost in 2..102 {
            fleet.store.set_deletion_costs(one.machine_id, &[(one.id, cost)]).await.unwrap();
        }
    })
    .await;
    println!("100 durable writes: {took:?}");
}
