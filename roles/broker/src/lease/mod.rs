// SPDX-License-Identifier: Apache-2.0
//! Leases: what was given out to whom, until when, and that it ends then, whatever crashes meanwhile.
//!
//! ```text
//!   grant ──► intent written ──► provider makes it ──► active ──► (expiry, end, revocation) ──► revoking ──► gone
//! ```
//!
//! The intent, with the name of the account to be made, is durable before a provider is called; so there is never an account at a
//! target that the store does not know of, but for a store that was restored from a backup (see `compare`). What is due is found
//! by an index of the store: nothing is kept in memory for each lease. A revocation is tried until it succeeds, each target by a
//! task of its own, so that none waits for another.
//!
//! A credential that leaves nothing at its target is good with its intent, and its lease is forgotten when it is over: until then
//! nothing can end it. This module never decides who may have what, and never sees a token.

mod compare;
mod error;
mod event;
mod grant;
mod health;
mod metrics;
mod offer;
mod operator;
mod own;
mod pace;
mod queue;
mod request;
mod run;
mod sealing;
mod settings;
mod sweep;
mod target;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_domain::{AccountName, Clock, DeploymentId, LeaseId, ProviderName, Random};
use cress_keyring::KeyEncryptionKeys;
use cress_provider::Provider;
use cress_store::StoreError;
use cress_store::broker::BrokerStore;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use health::Health;
use metrics::LeaseMetrics;
use queue::Queue;

pub use cress_store::broker::{
    Caps, Ending, LeaseFilter, LeaseRecord as LeaseView, LeaseStatus, Owner, Page, Selection,
};
pub use error::{Cap, GrantError, LeaseError};
pub use event::{Event, Events, Unheard};
pub use offer::{Offer, Sharing};
pub use operator::{TargetCondition, TargetState};
pub use request::{Granted, Idempotency, Renewed, Request};
pub use settings::Settings;

/// The lease engine. Clones are the same.
#[derive(Clone)]
pub struct Leases(Arc<Shared>);

/// What it is made of.
pub struct Parts {
    /// Where leases are kept.
    pub store: BrokerStore,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub random: Arc<dyn Random>,
    /// What answers that are given again are sealed under.
    pub keys: Arc<KeyEncryptionKeys>,
    /// The targets.
    pub targets: Targets,
    /// Who hears of what it does of its own accord.
    pub events: Arc<dyn Events>,
    /// How it works.
    pub settings: Settings,
}

/// The targets that are configured.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Each by its name.
    pub providers: BTreeMap<ProviderName, Arc<dyn Provider>>,
    /// The longest time that any lease may live with all renewals. An account without a lease is left alone until it is older.
    pub longest_lease: Duration,
}

struct Shared {
    store: BrokerStore,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Arc<KeyEncryptionKeys>,
    deployment: DeploymentId,
    queue: Queue,
    targets: ArcSwap<Targets>,
    /// Told when the targets are replaced.
    replaced: watch::Sender<()>,
    /// Told when something has become due here.
    due: Notify,
    health: Health,
    events: Arc<dyn Events>,
    metrics: LeaseMetrics,
    settings: Settings,
    /// What has begun and has to be brought to its end.
    begun: TaskTracker,
    /// Whether the store was seen to have gone back in time.
    went_back: std::sync::atomic::AtomicBool,
}

impl Leases {
    /// Opens the engine. Nothing is granted before [`Self::run`] runs.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(parts: Parts) -> Result<Self, StoreError> {
        let deployment = parts.store.deployment_id(&*parts.random).await?;
        Ok(Self(Arc::new(Shared {
            queue: Queue::new(parts.settings.queue_max),
            store: parts.store,
            clock: parts.clock,
            random: parts.random,
            keys: parts.keys,
            deployment,
            targets: ArcSwap::from_pointee(parts.targets),
            replaced: watch::Sender::new(()),
            due: Notify::new(),
            health: Health::default(),
            events: parts.events,
            metrics: LeaseMetrics::default(),
            settings: parts.settings,
            begun: TaskTracker::new(),
            went_back: false.into(),
        })))
    }

    /// Which deployment this is.
    #[must_use]
    pub fn deployment(&self) -> DeploymentId {
        self.0.deployment
    }

    /// Takes these targets from now on. Leases at a target that is configured no more wait for it, and are told of as stuck.
    pub fn reload(&self, targets: Targets) {
        self.0.targets.store(Arc::new(targets));
        self.0.replaced.send_replace(());
    }

    /// Registers what the engine counts.
    pub fn register(&self, registry: &mut cress_service::metrics::prometheus_client::registry::Registry) {
        self.0.metrics.register(registry);
    }
}

impl Shared {
    /// The account of a lease.
    fn account(&self, lease: LeaseId) -> AccountName {
        AccountName::of(self.deployment, lease)
    }

    /// Begins something that the end of the process waits for; nothing if it has come already.
    fn begin(&self) -> Option<TaskTrackerToken> {
        (!self.begun.is_closed()).then(|| self.begun.token())
    }

    /// A target, if it is configured.
    fn target(&self, name: &ProviderName) -> Option<Arc<dyn Provider>> {
        self.targets.load().providers.get(name).cloned()
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leases").field("deployment", &self.0.deployment).finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").field("targets", &self.targets).finish_non_exhaustive()
    }
}
