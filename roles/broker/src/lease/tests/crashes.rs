// SPDX-License-Identifier: Apache-2.0
//! A broker is killed at every point that it passes while it grants, renews, ends and sweeps; another takes over on the same store.
//! Afterwards the target holds the accounts of live leases and no other, what was told to a workload holds, and when all is over nothing
//! is left. The targets outlive the process.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cress_domain::{AccountName, Clock, LeaseId, Secret, fault};
use cress_keyring::{KeyEncryptionKey, KeyEncryptionKeys};
use cress_service::{Shutdown, SystemRandom};
use cress_store::broker::BrokerStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use cress_testkit::postgres::{Postgres, Version};
use cress_testkit::redis::{Accounts, Flavour, RedisServer};

use super::outside::{Outside, use_postgresql, use_redis};
use super::support::{LONGEST_LEASE, eventually, instance, request_for, settings};
use crate::lease::{Idempotency, LeaseFilter, LeaseStatus, LeaseView, Leases, Page, Parts, Request, Targets, Unheard};

pub(super) const DIRECTORY: &str = "CRESS_BROKER_TEST_DIRECTORY";
pub(super) const DATABASE: &str = "CRESS_BROKER_TEST_DATABASE";
const KILL_AT: &str = "CRESS_BROKER_TEST_KILL_AT";
/// This file's child.
const CHILD: &str = "lease::tests::crashes::a_broker_that_is_killed";
/// Brokers that are killed at the same time.
const AT_ONCE: usize = 4;
/// When the leases of the script are over.
const OVER: Duration = Duration::from_secs(600);

/// A broker over such a target.
pub(super) struct Broker {
    pub(super) leases: Leases,
    store: BrokerStore,
    pub(super) clock: Arc<MockClock>,
    pub(super) target: Outside,
    pub(super) shutdown: Shutdown,
}

impl Broker {
    pub(super) async fn start(directory: &Path, url: &DatabaseUrl, later: Duration) -> Self {
        let clock = Arc::new(MockClock::default());
        clock.advance(later);
        let store = BrokerStore::open(&Database::open(url).await.unwrap()).await.unwrap();
        let target = Outside::at(directory, clock.clone());
        let key = KeyEncryptionKey::new(None, &Secret::new([7; 32])).unwrap();
        let providers = [("target-0".parse().unwrap(), target.provider.clone())].into();
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            keys: Arc::new(KeyEncryptionKeys::new(key, Vec::new()).unwrap()),
            targets: Targets { providers, longest_lease: LONGEST_LEASE },
            events: Arc::new(Unheard),
            settings: settings(),
        };
        let leases = Leases::open(parts).await.unwrap();
        let shutdown = Shutdown::default();
        shutdown.spawn("engine", leases.clone().run(shutdown.clone()));
        Self { leases, store, clock, target, shutdown }
    }

    pub(super) fn request(&self, owner: &str) -> Request {
        request_for(
            self.clock.now(),
            "target-0",
            &instance(owner),
            self.target.provider.clone(),
            self.target.credential.clone(),
        )
    }

    /// The leases that have an account at the target.
    pub(super) async fn accounts(&self) -> BTreeSet<LeaseId> {
        let accounts = self.target.provider.accounts(self.leases.deployment()).await.unwrap();
        accounts.iter().map(AccountName::lease).collect()
    }

    async fn all(&self) -> Vec<LeaseView> {
        self.store.leases(&LeaseFilter::default(), Page { after: None, limit: 1_000_000 }).await.unwrap()
    }

    /// Waits until nothing is pending, and says which leases are active.
    pub(super) async fn settled(&self) -> BTreeSet<LeaseId> {
        let now = self.clock.now();
        let pending = |lease: &LeaseView| match lease.status {
            LeaseStatus::Intended | LeaseStatus::Revoking => true,
            LeaseStatus::Active => lease.expires_at <= now,
            LeaseStatus::Gone => false,
        };
        eventually(async || !self.all().await.iter().any(pending)).await;
        let all = self.all().await;
        all.iter().filter(|lease| lease.status == LeaseStatus::Active).map(|lease| lease.id).collect()
    }
}

/// What a child does: each kind of request, and then the end of all that is left. It notes what it has told a workload.
async fn script(broker: &Broker, directory: &Path) {
    let tell = |what: &str, lease: LeaseId| {
        let mut told = fs::OpenOptions::new().create(true).append(true).open(directory.join("told")).unwrap();
        writeln!(told, "{what} {lease}").unwrap();
    };
    let kept = broker.leases.grant(broker.request("kept")).await.unwrap().lease_id;
    tell("granted", kept);
    let repeated = || {
        let idempotency = Some(Idempotency { key: [1; 32], request: [1; 32] });
        Request { idempotency, ..broker.request("repeated") }
    };
    let first = broker.leases.grant(repeated()).await.unwrap().lease_id;
    tell("granted", first);
    assert_eq!(broker.leases.grant(repeated()).await.unwrap().lease_id, first);
    let ended = broker.leases.grant(broker.request("ended")).await.unwrap().lease_id;
    tell("granted", ended);
    broker.leases.renew(&instance("kept"), kept, broker.clock.now() + OVER).await.unwrap();
    tell("ended", ended);
    broker.leases.end(&instance("ended"), ended).await.unwrap();
    eventually(async || !broker.accounts().await.contains(&ended)).await;
    fs::write(directory.join("over"), "").unwrap();
    broker.clock.advance(OVER);
    eventually(async || broker.accounts().await.is_empty()).await;
    assert!(broker.settled().await.is_empty());
}

static PASSED: AtomicUsize = AtomicUsize::new(0);
static POINTS: OnceLock<Mutex<fs::File>> = OnceLock::new();

fn pass(name: &'static str) {
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(points) = POINTS.get() {
        writeln!(points.lock().unwrap(), "{name}").unwrap();
    }
    let kill_at = std::env::var(KILL_AT).ok().and_then(|text| text.parse().ok());
    if kill_at.is_some_and(|kill_at: usize| number >= kill_at) {
        let this = nix::unistd::Pid::this();
        nix::sys::signal::kill(this, nix::sys::signal::Signal::SIGKILL).unwrap();
        loop {
            std::thread::park();
        }
    }
}

/// Only ever does something as the child of the tests below.
#[tokio::test]
async fn a_broker_that_is_killed() {
    let (Some(directory), Ok(url)) = (std::env::var_os(DIRECTORY), std::env::var(DATABASE)) else { return };
    let directory = PathBuf::from(directory);
    // The tables are there already.
    let points = fs::File::create(directory.join("points")).unwrap();
    POINTS.get_or_init(|| Mutex::new(points));
    fault::at_points(pass);
    let broker = Broker::start(&directory, &url.parse().unwrap(), Duration::ZERO).await;
    script(&broker, &directory).await;
    broker.shutdown.request();
    let _drained = broker.shutdown.drain().await;
}

/// Runs the child, which is killed at this point if it passes so many; says which it passed.
fn run(directory: &Path, url: &str, kill_at: Option<usize>) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).env(DATABASE, url);
    if let Some(number) = kill_at {
        command.env(KILL_AT, number.to_string());
    }
    let output = command.output().unwrap();
    let killed = output.status.code().is_none();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() || (killed && kill_at.is_some()), "{kill_at:?}: {text}");
    let points = fs::read_to_string(directory.join("points")).unwrap_or_default();
    points.lines().map(str::to_owned).collect()
}

/// What the child has told: granted and not ended.
fn told(directory: &Path) -> (BTreeSet<LeaseId>, BTreeSet<LeaseId>) {
    let text = fs::read_to_string(directory.join("told")).unwrap_or_default();
    let of = |what: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(word, _)| *word == what).map(|(_, lease)| lease.parse().unwrap()).collect()
    };
    (of("granted"), of("ended"))
}

/// Kills a broker at this point; another takes over.
async fn check(url: String, directory: tempfile::TempDir, kill_at: usize) {
    let points = tokio::task::block_in_place(|| run(directory.path(), &url, Some(kill_at)));
    let url: DatabaseUrl = url.parse().unwrap();
    let at = points.last().cloned().unwrap_or_default();
    let over = directory.path().join("over").exists();
    let later = if over { OVER } else { Duration::ZERO };
    // Its claims and intents are over.
    let broker = Broker::start(directory.path(), &url, later + Duration::from_secs(100)).await;
    let active = broker.settled().await;
    assert_eq!(broker.accounts().await, active, "killed at {kill_at}, {at}");
    let (granted, ended) = told(directory.path());
    if !over {
        let lost: Vec<_> = granted.iter().filter(|lease| !ended.contains(lease) && !active.contains(lease)).collect();
        assert!(lost.is_empty(), "killed at {kill_at}, {at}: what a workload has was ended before its time: {lost:?}");
    }
    broker.clock.advance(LONGEST_LEASE);
    eventually(async || broker.accounts().await.is_empty()).await;
    assert!(broker.settled().await.is_empty(), "killed at {kill_at}, {at}");
    broker.shutdown.request();
    let _drained = broker.shutdown.drain().await;
}

/// At every point, or at every so-many-th.
async fn check_all(fresh: impl Fn(&Path) -> String, every: usize) {
    let ready = async || {
        let directory = tempfile::tempdir().unwrap();
        let url = fresh(directory.path());
        BrokerStore::open(&Database::open(&url.parse().unwrap()).await.unwrap()).await.unwrap();
        (url, directory)
    };
    let (url, directory) = ready().await;
    let points = tokio::task::block_in_place(|| run(directory.path(), &url, None));
    for point in [
        "before a credential is made",
        "after a credential is made",
        "before an account is extended",
        "after an account is extended",
        "before an account is ended",
        "after an account is ended",
        "before a commit of the store",
    ] {
        assert!(points.iter().any(|passed| passed == point), "the script does not pass {point}: {points:?}");
    }
    let numbers: Vec<usize> = (1..=points.len()).step_by(every).collect();
    for part in numbers.chunks(AT_ONCE) {
        let mut running = Vec::new();
        for number in part {
            let (url, directory) = ready().await;
            let (number, runtime) = (*number, tokio::runtime::Runtime::new().unwrap());
            running.push(std::thread::spawn(move || runtime.block_on(check(url, directory, number))));
        }
        for one in running {
            tokio::task::block_in_place(|| one.join()).unwrap();
        }
    }
    println!("killed {} brokers, at {} points", numbers.len(), points.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_account_outlives_a_broker_that_was_killed_on_sqlite() {
    check_all(|directory| format!("sqlite:{}", directory.join("broker.db").display()), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_account_outlives_a_broker_that_was_killed_on_postgresql() {
    check_all(|_| Postgres::shared(Version::V15).create_database(), 3).await;
}

/// The store on SQLite, the target a server.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_role_outlives_a_broker_that_was_killed() {
    let server = Postgres::shared(Version::V15);
    let fresh = |directory: &Path| {
        use_postgresql(server, directory);
        format!("sqlite:{}", directory.join("broker.db").display())
    };
    check_all(fresh, 4).await;
    let left = server.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'cress\\_%'");
    assert_eq!(left.trim(), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_redis_user_outlives_a_broker_that_was_killed() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let fresh = |directory: &Path| {
        use_redis(&server, directory);
        format!("sqlite:{}", directory.join("broker.db").display())
    };
    check_all(fresh, 4).await;
    assert!(!server.users().iter().any(|user| user.contains("cress_")), "{:?}", server.users());
}
