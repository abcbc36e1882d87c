// SPDX-License-Identifier: Apache-2.0
//! The task that keeps the placements what the planner says: it follows the store, plans, and applies.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cress_domain::{Clock, Random};
use cress_store::control::ControlStore;
use cress_store::{StoreError, StoreErrorKind};

use super::fleet::Fleet;
use super::plan::plan;
use crate::fleet::FeedWaker;
use crate::metrics::{Counters, StorePart};

/// How often the store is asked: another replica's write is acted upon this much later.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The same while the store fails.
const POLL_INTERVAL_FAILING: Duration = Duration::from_secs(2);
/// How often one round plans again because the fleet changed under its plan, before it lets others go first.
const ATTEMPTS_MAX: usize = 8;
/// Changes in one transaction: a larger plan is carried out in parts, so that it does not hold up every other write.
const CHANGES_MAX: usize = 5_000;

/// What placement is made with.
#[derive(Clone)]
pub(crate) struct ReconcilerParts {
    /// Where the fleet is kept.
    pub(crate) store: ControlStore,
    /// Wakes this task after writes, and is woken by it after its own.
    pub(crate) waker: FeedWaker,
    /// When instances are placed.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where instance ids come from.
    pub(crate) random: Arc<dyn Random>,
    /// Where failures are counted.
    pub(crate) counters: Counters,
}

/// The task, before it runs.
pub(crate) struct Reconciler {
    parts: ReconcilerParts,
    /// None: it is to be loaded anew.
    fleet: Option<Fleet>,
    pending: PendingReplicas,
    health: Health,
}

/// How many replicas wait for a node with room. Clones are the same number.
#[derive(Debug, Clone, Default)]
pub(crate) struct PendingReplicas(Arc<AtomicUsize>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Failing,
}

/// Whether a round left anything undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Settled,
    /// Others changed the fleet faster than plans could be made.
    Overtaken,
}

impl PendingReplicas {
    /// The number.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, pending: usize) {
        let before = self.0.swap(pending, Ordering::Relaxed);
        if pending > before {
            tracing::warn!(replicas = pending, "no node has room for some replicas; they are placed when one has");
        }
    }
}

impl Reconciler {
    pub(crate) fn new(parts: ReconcilerParts) -> Self {
        Self { parts, fleet: None, pending: PendingReplicas::default(), health: Health::Good }
    }

    /// How many replicas wait, for the metrics.
    pub(crate) fn pending(&self) -> PendingReplicas {
        self.pending.clone()
    }

    /// Keeps placements right until `cancel` resolves.
    pub(crate) async fn run(mut self, cancel: impl Future<Output = ()> + Send) {
        let reconcile = async {
            loop {
                let pause = match self.reconcile().await {
                    Ok(Round::Settled) => self.settled(),
                    Ok(Round::Overtaken) => Duration::ZERO,
                    Err(error) => self.failed(&error),
                };
                tokio::select! {
                    () = self.parts.waker.written() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        };
        tokio::select! {
            () = reconcile => {}
            () = cancel => {}
        }
    }

    /// Follows the store and plans until there is nothing left to do.
    async fn reconcile(&mut self) -> Result<Round, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let fleet = self.follow().await?;
            let mut plan = plan(&fleet, self.parts.random.as_ref());
            plan.limit(CHANGES_MAX);
            let (revision, is_empty) = (fleet.revision, plan.is_empty());
            self.fleet = Some(fleet);
            self.pending.set(plan.pending);
            if is_empty {
                return Ok(Round::Settled);
            }
            let (placed, ended) = (plan.changes.place.len(), plan.changes.end.len());
            match self.parts.store.apply_placement(&plan.changes, revision, self.parts.clock.now()).await {
                Ok(_) => {
                    tracing::info!(placed, ended, pending = plan.pending, "placement changed");
                    self.parts.waker.wake();
                }
                Err(error) if error.kind() == StoreErrorKind::Outdated => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Round::Overtaken)
    }

    /// The fleet of now. Whatever goes wrong, the next round loads it anew.
    async fn follow(&mut self) -> Result<Fleet, StoreError> {
        match self.fleet.take() {
            None => Ok(self.parts.store.snapshot().await?.into()),
            Some(mut fleet) => {
                fleet.follow(self.parts.store.changes_since(fleet.revision).await?);
                Ok(fleet)
            }
        }
    }

    fn settled(&mut self) -> Duration {
        if self.health == Health::Failing {
            tracing::info!("placing instances again");
            self.health = Health::Good;
        }
        POLL_INTERVAL
    }

    fn failed(&mut self, error: &StoreError) -> Duration {
        self.fleet = None;
        self.parts.counters.store_failed(StorePart::placement);
        if self.health == Health::Good {
            tracing::warn!(%error, "instances cannot be placed; trying again");
            self.health = Health::Failing;
        }
        POLL_INTERVAL_FAILING
    }
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reconciler").field("pending", &self.pending).finish_non_exhaustive()
    }
}
