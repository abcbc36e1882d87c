// SPDX-License-Identifier: Apache-2.0
//! What leases cost with few and with a million of them. It prints, it does not judge: `cargo test -p cress-store --release --
//! --ignored --nocapture a_million_leases`.

use std::time::{Duration, Instant};

use cress_domain::LeaseId;
use cress_store::broker::{BrokerStore, NewLease, Write};
use cress_testkit::SeededRandom;

use crate::conformance::broker::{computed, instance, lease};
use crate::support::at;

const LEASES: u64 = 1_000_000;
const TOGETHER: u64 = 512;
/// Leases that are measured at the beginning and at the end.
const MEASURED: u64 = 50_000;
const REVOKED: u32 = 17_000;

#[expect(clippy::disallowed_methods, reason = "measures the machine")]
fn now() -> Instant {
    Instant::now()
}

fn resident_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// From one number to another, each of an owner of its own.
async fn grant(store: &BrokerStore, numbers: std::ops::Range<u64>) -> Duration {
    let (start, mut first) = (now(), numbers.start);
    while first < numbers.end {
        let last = (first + TOGETHER).min(numbers.end);
        let intend = |number: u64| {
            let id = LeaseId::generate_at(at(0) + Duration::from_micros(number * 66), &SeededRandom::new(number));
            let owner = instance(&format!("{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            Write::Intend(Box::new(NewLease { id, ..computed(&owner, 0) }))
        };
        let writes: Vec<_> = (first..last).map(intend).collect();
        store.write(&writes, at(0)).await.unwrap();
        first = last;
    }
    start.elapsed()
}

#[tokio::test]
#[ignore = "measures"]
async fn a_million_leases() {
    let fresh = crate::sqlite::fresh().await;
    let store = BrokerStore::open(&fresh.database).await.unwrap();
    let took = grant(&store, 0..MEASURED).await;
    println!("the first {MEASURED} leases: {took:?}, {:.0} a second", MEASURED as f64 / took.as_secs_f64());
    let before = resident_mebibytes();
    grant(&store, MEASURED..LEASES).await;
    println!("{LEASES} leases: {before} to {} MiB resident", resident_mebibytes());
    let took = grant(&store, LEASES..LEASES + MEASURED).await;
    println!("{MEASURED} more: {took:?}, {:.0} a second", MEASURED as f64 / took.as_secs_f64());
    let start = now();
    BrokerStore::open(&fresh.another_replica().await).await.unwrap().counts_by_provider().await.unwrap();
    println!("opened anew: {:?}", start.elapsed());

    for part in 0..REVOKED / 1_000 {
        let seeds = u64::from(part) * 1_000..u64::from(part + 1) * 1_000;
        let leases = seeds.map(|seed| Write::Intend(Box::new(lease(&instance("one"), seed))));
        store.write(&leases.collect::<Vec<_>>(), at(0)).await.unwrap();
    }
    let (start, mut gone) = (now(), 0);
    loop {
        let due = store.claim(&"cache".parse().unwrap(), at(90), at(120), 512).await.unwrap();
        let ids: Vec<LeaseId> = due.iter().map(|due| due.id).collect();
        if ids.is_empty() {
            break;
        }
        for part in ids.chunks(128) {
            gone += store.gone(part, at(90)).await.unwrap();
        }
    }
    println!("{gone} claimed and gone: {:?}", start.elapsed());
    let start = now();
    let mut lapsed = 0;
    while lapsed < 100_000 {
        lapsed += store.lapse(at(61), 2_000).await.unwrap();
    }
    println!("{lapsed} lapsed: {:?}", start.elapsed());
}
