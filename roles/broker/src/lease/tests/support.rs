// SPDX-License-Identifier: Apache-2.0
//! A target in memory, and an engine that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::{AccountName, CredentialName, DeploymentId, LeaseId, Secret, Timestamp};
use cress_keyring::{KeyEncryptionKey, KeyEncryptionKeys};
use cress_provider::{
    Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Provider, ProviderError, Renewal,
    Revocation, Settings as ProviderSettings, SettingsError, Subject,
};
use cress_service::Shutdown;
use cress_store::broker::BrokerStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::{MockClock, SeededRandom};
use tokio::sync::Notify;

use crate::lease::{
    Caps, Event, Events, Granted, LeaseStatus, Leases, Offer, Owner, Parts, Request, Settings, Sharing, Targets,
};

/// What a target does with what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Well,
    /// Nothing arrives.
    Away,
    /// It refuses.
    Refuses,
    /// It does as asked, and its answer gets lost.
    Mute,
    /// It does not answer before it is told to go on.
    Hangs,
}

/// A system with accounts, in memory.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) accounts: Mutex<BTreeMap<AccountName, Timestamp>>,
    mode: Mutex<Mode>,
    pub(super) go_on: Notify,
    pub(super) issued: AtomicUsize,
    pub(super) revoked: AtomicUsize,
    pub(super) maintained: AtomicUsize,
    footprint: Footprint,
}

impl Target {
    pub(super) fn new(footprint: Footprint) -> Arc<Self> {
        Arc::new(Self {
            accounts: Mutex::default(),
            mode: Mutex::new(Mode::Well),
            go_on: Notify::new(),
            issued: AtomicUsize::new(0),
            revoked: AtomicUsize::new(0),
            maintained: AtomicUsize::new(0),
            footprint,
        })
    }

    pub(super) fn becomes(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        self.go_on.notify_waiters();
    }

    pub(super) fn leases(&self) -> BTreeSet<LeaseId> {
        self.accounts.lock().unwrap().keys().map(AccountName::lease).collect()
    }

    pub(super) fn has(&self, lease: LeaseId) -> bool {
        self.leases().contains(&lease)
    }

    async fn answer(&self, operation: Operation, act: impl FnOnce()) -> Result<(), ProviderError> {
        let mode = || *self.mode.lock().unwrap();
        while mode() == Mode::Hangs {
            let waiting = self.go_on.notified();
            if mode() == Mode::Hangs {
                waiting.await;
            }
        }
        match mode() {
            Mode::Away => return Err(ProviderError::unavailable(operation, "nobody listens at cache.example:6379")),
            Mode::Refuses => return Err(ProviderError::refused(operation, "the broker's user may not do that")),
            _ => act(),
        }
        match mode() {
            Mode::Mute => Err(ProviderError::unavailable(operation, "the answer got lost")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Provider for Target {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn capability(&self) -> Capability {
        let (revocation, renewal) = match self.footprint {
            Footprint::Account => (Revocation::Immediate, Renewal::Extends),
            Footprint::Nothing => (Revocation::AtExpiry, Renewal::AskAgain),
        };
        Capability { revocation, renewal, footprint: self.footprint }
    }

    fn credential(&self, _: &ProviderSettings) -> Result<Arc<dyn Credential>, SettingsError> {
        Err(SettingsError::new("made by the test itself"))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }

    async fn extend(&self, account: &AccountName, expires_at: Timestamp) -> Result<(), ProviderError> {
        let mut found = false;
        self.answer(Operation::Extend, || {
            if let Some(expiry) = self.accounts.lock().unwrap().get_mut(account) {
                (*expiry, found) = (expires_at, true);
            }
        })
        .await?;
        let gone = || ProviderError::new(cress_provider::ProviderErrorKind::Gone, Operation::Extend, "no such account");
        if found { Ok(()) } else { Err(gone()) }
    }

    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError> {
        self.answer(Operation::Revoke, || {
            self.revoked.fetch_add(1, Ordering::Relaxed);
            self.accounts.lock().unwrap().remove(account);
        })
        .await
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        let mut own = Vec::new();
        self.answer(Operation::List, || {
            let all = self.accounts.lock().unwrap();
            own.extend(all.keys().filter(|account| account.deployment() == deployment).copied());
        })
        .await?;
        Ok(own)
    }

    async fn maintain(&self) -> Result<(), ProviderError> {
        self.maintained.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl Credential for Target {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        self.answer(Operation::Issue, || {
            let number = self.issued.fetch_add(1, Ordering::Relaxed);
            if self.footprint == Footprint::Account {
                self.accounts
                    .lock()
                    .unwrap()
                    .insert(grant.account, grant.expires_at + Duration::from_micros(number as u64));
            }
        })
        .await?;
        let password = Secret::new(format!("password of {}", grant.lease));
        Ok(Issued::new([
            ("username", FieldValue::Text(grant.account.to_string())),
            ("password", FieldValue::Secret(password)),
        ]))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }
}

/// What was told.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<Event>>);

impl Events for Heard {
    fn happened(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// An engine that runs, and all around it.
pub(super) struct Stack {
    pub(super) leases: Leases,
    pub(super) store: BrokerStore,
    pub(super) clock: Arc<MockClock>,
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) heard: Arc<Heard>,
    pub(super) shutdown: Shutdown,
    pub(super) database: Database,
    keep: Arc<tempfile::TempDir>,
}

pub(super) const LONGEST_LEASE: Duration = Duration::from_secs(3_600);

/// In a hurry.
pub(super) fn settings() -> Settings {
    let milliseconds = Duration::from_millis;
    Settings {
        poll: milliseconds(5),
        beat_every: milliseconds(20),
        retry: (milliseconds(1), milliseconds(20)),
        away: (milliseconds(1), milliseconds(20)),
        shared_wait: Duration::from_secs(3_600),
        ..Settings::default()
    }
}

impl Stack {
    /// With one target of accounts.
    pub(super) async fn new() -> Self {
        Self::with(vec![Target::new(Footprint::Account)], settings()).await
    }

    pub(super) async fn with(targets: Vec<Arc<Target>>, settings: Settings) -> Self {
        let keep = Arc::new(tempfile::tempdir().unwrap());
        Self::in_directory(keep, targets, settings, Arc::new(MockClock::default()), 1).await
    }

    /// Another broker on the same store, such as after a crash or beside the first.
    pub(super) async fn another(&self, settings: Settings) -> Self {
        static SEEDS: AtomicUsize = AtomicUsize::new(2);
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed) as u64;
        Self::in_directory(Arc::clone(&self.keep), self.targets.clone(), settings, Arc::clone(&self.clock), seed).await
    }

    pub(super) async fn in_directory(
        keep: Arc<tempfile::TempDir>,
        targets: Vec<Arc<Target>>,
        settings: Settings,
        clock: Arc<MockClock>,
        seed: u64,
    ) -> Self {
        let database = Database::open(&DatabaseUrl::sqlite(keep.path().join("broker.db"))).await.unwrap();
        let store = BrokerStore::open(&database).await.unwrap();
        let key = KeyEncryptionKey::new(None, &Secret::new([7; 32])).unwrap();
        let heard = Arc::new(Heard::default());
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(seed)),
            keys: Arc::new(KeyEncryptionKeys::new(key, Vec::new()).unwrap()),
            targets: configured(&targets),
            events: heard.clone(),
            settings,
        };
        let leases = Leases::open(parts).await.unwrap();
        let shutdown = Shutdown::default();
        shutdown.spawn("engine", leases.clone().run(shutdown.clone()));
        Self { leases, store, clock, targets, heard, shutdown, database, keep }
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.targets[0]
    }

    /// Of the target with this number.
    pub(super) fn request_at(&self, target: usize, owner: &Owner) -> Request {
        let (name, target) = (name_of(&self.targets, &self.targets[target]), &self.targets[target]);
        let now = cress_domain::Clock::now(&*self.clock);
        request_for(now, name.as_str(), owner, target.clone(), target.clone())
    }

    pub(super) fn request(&self, owner: &Owner) -> Request {
        self.request_at(0, owner)
    }

    pub(super) async fn grant(&self) -> Granted {
        self.leases.grant(self.request(&instance("one"))).await.unwrap()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) async fn status(&self, lease: LeaseId) -> Option<LeaseStatus> {
        self.store.lease(lease).await.unwrap().map(|lease| lease.status)
    }

    pub(super) async fn is_gone(&self, lease: LeaseId) {
        eventually(async || self.status(lease).await == Some(LeaseStatus::Gone)).await;
        assert!(self.targets.iter().all(|target| !target.has(lease)));
    }
}

pub(super) fn configured(targets: &[Arc<Target>]) -> Targets {
    let providers = targets.iter().map(|target| (name_of(targets, target), target.clone() as Arc<dyn Provider>));
    Targets { providers: providers.collect(), longest_lease: LONGEST_LEASE }
}

fn name_of(targets: &[Arc<Target>], target: &Arc<Target>) -> cress_domain::ProviderName {
    let number = targets.iter().position(|one| Arc::ptr_eq(one, target)).unwrap();
    format!("target-{number}").parse().unwrap()
}

/// For five minutes, up to an hour.
pub(super) fn request_for(
    now: Timestamp,
    provider: &str,
    owner: &Owner,
    target: Arc<dyn Provider>,
    maker: Arc<dyn Credential>,
) -> Request {
    Request {
        offer: Arc::new(Offer {
            name: credential(),
            provider: provider.parse().unwrap(),
            capability: target.capability(),
            target,
            credential: maker,
            caps: Caps { per_owner: 1_000_000, per_group: 1_000_000 },
            sharing: Sharing::Own,
        }),
        subject: subject(),
        owner: owner.clone(),
        granted_at: now,
        expires_at: now + Duration::from_secs(300),
        renew_until: now + LONGEST_LEASE,
        parameters: BTreeMap::new(),
        idempotency: None,
    }
}

pub(super) fn credential() -> CredentialName {
    "cache-rw".parse().unwrap()
}

pub(super) fn instance(id: &str) -> Owner {
    Owner::Instance { issuer: "https://issuer.example".parse().unwrap(), instance_id: id.into() }
}

fn subject() -> Subject {
    Subject {
        issuer: "https://issuer.example".parse().unwrap(),
        subject: Some("machine".into()),
        organization_id: Some("organization".into()),
        group_id: Some("group".into()),
        instance_id: Some("one".into()),
        machine_id: Some("machine".into()),
    }
}

/// Polls until it is so.
pub(super) async fn eventually(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("what was expected has not come about in time");
}
