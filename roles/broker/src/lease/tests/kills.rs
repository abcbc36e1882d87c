// SPDX-License-Identifier: Apache-2.0
//! A broker under load is killed again and again, at any moment, each time followed by another on the same store. `CRESS_BROKER_KILLS` says
//! how often.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, LeaseId, Random, Timestamp};
use cress_testkit::SeededRandom;
use cress_testkit::postgres::{Postgres, Version};

use super::crashes::{Broker, DATABASE, DIRECTORY};
use super::support::{LONGEST_LEASE, eventually, instance};

/// How much later than the first one a broker lives.
const LATER: &str = "CRESS_BROKER_TEST_LATER";
const CHILD: &str = "lease::tests::kills::a_broker_under_load";
const KILLS: usize = 10;
const TASKS: usize = 8;
/// So that leases end while others are granted.
const BETWEEN: Duration = Duration::from_secs(40);

fn kills() -> usize {
    std::env::var("CRESS_BROKER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

/// Only ever does something as the child of the tests below, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_under_load() {
    let (Some(directory), Ok(url)) = (std::env::var_os(DIRECTORY), std::env::var(DATABASE)) else { return };
    let Some(later) = std::env::var(LATER).ok().and_then(|text| text.parse().ok()) else { return };
    let directory = PathBuf::from(directory);
    let broker = Broker::start(&directory, &url.parse().unwrap(), Duration::from_secs(later)).await;
    let broker = Arc::new(broker);
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(load(broker.clone(), directory.clone(), task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn load(broker: Arc<Broker>, directory: PathBuf, task: usize) {
    let told = fs::OpenOptions::new().create(true).append(true).open(directory.join(format!("told-{task}")));
    let mut told = told.unwrap();
    let random = SeededRandom::new(task as u64);
    let owner = instance(&format!("i{task}"));
    loop {
        let mut choice = [0];
        random.fill(&mut choice);
        let granted = broker.leases.grant(broker.request(&format!("i{task}"))).await.unwrap();
        writeln!(told, "granted {} {}", granted.lease_id, granted.expires_at.unix_microseconds()).unwrap();
        if choice[0] % 3 > 0 {
            writeln!(told, "ended {} 0", granted.lease_id).unwrap();
            broker.leases.end(&owner, granted.lease_id).await.unwrap();
        } else if choice[0] % 2 > 0 {
            let until = broker.clock.now() + Duration::from_secs(600);
            let renewed = broker.leases.renew(&owner, granted.lease_id, until).await.unwrap();
            writeln!(told, "granted {} {}", granted.lease_id, renewed.expires_at.unix_microseconds()).unwrap();
        }
    }
}

/// What a workload has and may still use at this time.
fn owned(directory: &Path, now: Timestamp) -> Vec<LeaseId> {
    let mut owned = std::collections::BTreeMap::new();
    for task in 0..TASKS {
        let text = fs::read_to_string(directory.join(format!("told-{task}"))).unwrap_or_default();
        // The last line of one that was killed may not be whole.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let mut words = line.split(' ');
            let (what, lease) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
            let until = Timestamp::from_unix_microseconds(words.next().unwrap().parse().unwrap());
            match what {
                "granted" => drop(owned.insert(lease, until)),
                _ => drop(owned.remove(&lease)),
            }
        }
    }
    owned.into_iter().filter(|(_, until)| *until > now).map(|(lease, _)| lease).collect()
}

async fn check(url: &str, directory: &Path) {
    let random = SeededRandom::new(kills() as u64);
    let count = || fs::read_to_string(directory.join("told-0")).unwrap_or_default().len();
    let mut later = Duration::ZERO;
    for _ in 0..kills() {
        let before = count();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .env(DATABASE, url)
            .env(LATER, later.as_secs().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually(async || count() > before).await;
        let mut pause = [0];
        random.fill(&mut pause);
        tokio::time::sleep(Duration::from_millis(pause[0].into())).await;
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
        later += BETWEEN;
    }
    let broker = Broker::start(directory, &url.parse().unwrap(), later + Duration::from_secs(100)).await;
    let active = broker.settled().await;
    assert_eq!(broker.accounts().await, active, "the target has the accounts of live leases and no other");
    let now = broker.clock.now();
    let lost: Vec<_> = owned(directory, now).into_iter().filter(|lease| !active.contains(lease)).collect();
    assert!(lost.is_empty(), "what a workload has was ended before its time: {lost:?}");
    broker.clock.advance(LONGEST_LEASE);
    eventually(async || broker.accounts().await.is_empty()).await;
    println!("killed {} brokers; {} leases were good at the end, none was lost or left over", kills(), active.len());
    broker.shutdown.request();
    let _drained = broker.shutdown.drain().await;
}

#[tokio::test]
async fn brokers_killed_under_load_on_sqlite_leave_no_account_and_lose_no_lease() {
    let directory = tempfile::tempdir().unwrap();
    check(&format!("sqlite:{}", directory.path().join("broker.db").display()), directory.path()).await;
}

#[tokio::test]
async fn brokers_killed_under_load_on_postgresql_leave_no_account_and_lose_no_lease() {
    let directory = tempfile::tempdir().unwrap();
    check(&Postgres::shared(Version::V15).create_database(), directory.path()).await;
}
