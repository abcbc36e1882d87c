// SPDX-License-Identifier: Apache-2.0
//! The task that keeps the placements what the planner says: it follows the store, plans, and applies.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cress_domain::{Clock, Random};
use cress_store::control::{ControlStore, Revision};
use cress_store::{StoreError, StoreErrorKind};

use super::fleet::Fleet;
use super::plan::{Plan, plan};
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
/// The size of a fleet up to which a plan is made on the spot. That of a larger one would hold up whatever else the thread serves.
const PLANNED_ON_THE_SPOT_MAX: usize = 1_000;

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
    /// The revision at which there was nothing to do. A plan depends on nothing but the fleet, so none is made until that changes.
    settled: Option<Revision>,
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
        Self { parts, fleet: None, settled: None, pending: PendingReplicas::default(), health: Health::Good }
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
            let revision = fleet.revision;
            if self.settled == Some(revision) {
                self.fleet = Some(fleet);
                return Ok(Round::Settled);
            }
            let (fleet, mut plan) = planned(fleet, Arc::clone(&self.parts.random)).await;
            plan.limit(CHANGES_MAX);
            self.fleet = Some(fleet);
            self.pending.set(plan.pending);
            if plan.is_empty() {
                self.settled = Some(revision);
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
        (self.fleet, self.settled) = (None, None);
        self.parts.counters.store_failed(StorePart::placement);
        if self.health == Health::Good {
            tracing::warn!(%error, "instances cannot be placed; trying again");
            self.health = Health::Failing;
        }
        POLL_INTERVAL_FAILING
    }
}

/// The fleet and the plan for it; where it takes long, on a thread for such work.
async fn planned(fleet: Fleet, random: Arc<dyn Random>) -> (Fleet, Plan) {
    let is_small = fleet.size() <= PLANNED_ON_THE_SPOT_MAX;
    let work = move || {
        let plan = plan(&fleet, random.as_ref());
        (fleet, plan)
    };
    if is_small {
        return work();
    }
    match tokio::task::spawn_blocking(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(planned) => planned,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime ends, and this task with it.
        Err(Err(_)) => std::future::pending().await,
    }
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reconciler").field("pending", &self.pending).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread::ThreadId;

    use cress_domain::{ContainerGroupId, JoinTokenId, MachineId, OrganizationId, ProjectId};
    use cress_store::control::{
        JoinRequest, NewContainerGroup, NewJoinToken, NodeRecord, OrganizationRecord, ProjectRecord,
    };
    use cress_store::{Database, DatabaseUrl, KeyFingerprint, SecretHash};
    use cress_testkit::{MockClock, SeededRandom};
    use tempfile::TempDir;

    use super::*;

    const GROUP: ContainerGroupId = ContainerGroupId::from_bytes([3; 16]);

    /// A node with room for three, and a group of two replicas.
    async fn world() -> (Reconciler, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("control.db"))).await.unwrap();
        let store = ControlStore::open(&database).await.unwrap();
        let clock = Arc::new(MockClock::default());
        let (organization_id, project_id) = (OrganizationId::from_bytes([1; 16]), ProjectId::from_bytes([2; 16]));
        let organization = OrganizationRecord { id: organization_id, name: "acme".parse().unwrap() };
        store.create_organization(&organization).await.unwrap();
        let project = ProjectRecord { id: project_id, organization_id, name: "web".parse().unwrap() };
        store.create_project(&project).await.unwrap();
        let definition = serde_json::from_str(r#"{"replicas":2,"command":["true"]}"#).unwrap();
        let group = NewContainerGroup { id: GROUP, project_id, name: "demo".parse().unwrap(), definition };
        store.create_container_group(&group).await.unwrap();
        let (now, secret_hash) = (clock.now(), SecretHash::from_bytes([1; 32]));
        let later = now + Duration::from_secs(60);
        let id = JoinTokenId::from_bytes([4; 16]);
        let token = NewJoinToken { id, secret_hash, expires_at: later, capacity_max: None, organizations: None };
        store.create_join_token(&token).await.unwrap();
        let request = JoinRequest {
            secret_hash,
            key_fingerprint: KeyFingerprint::from_bytes([1; 32]),
            new_machine_id: MachineId::from_bytes([5; 16]),
            name: "node".to_owned(),
            capacity: 3,
            certificate_not_after: later,
        };
        store.join_node(&request, now).await.unwrap();
        let (waker, counters) = (FeedWaker::new(), Counters::default());
        let parts = ReconcilerParts { store, waker, clock, random: Arc::new(SeededRandom::default()), counters };
        (Reconciler::new(parts), directory)
    }

    async fn placed(reconciler: &Reconciler) -> usize {
        reconciler.parts.store.snapshot().await.unwrap().instances.len()
    }

    #[tokio::test]
    async fn nothing_is_planned_until_something_has_changed() {
        let (mut reconciler, _directory) = world().await;
        assert_eq!(reconciler.reconcile().await.unwrap(), Round::Settled);
        assert_eq!(placed(&reconciler).await, 2);

        // A plan would now end both instances, since they seem to have no group.
        let groups = std::mem::take(&mut reconciler.fleet.as_mut().unwrap().groups);
        assert_eq!(reconciler.reconcile().await.unwrap(), Round::Settled);
        assert_eq!(placed(&reconciler).await, 2);

        reconciler.fleet.as_mut().unwrap().groups = groups;
        reconciler.parts.store.scale(GROUP, 5).await.unwrap();
        assert_eq!(reconciler.reconcile().await.unwrap(), Round::Settled);
        assert_eq!((placed(&reconciler).await, reconciler.pending().count()), (3, 2));
    }

    /// Notes which threads ask.
    #[derive(Default)]
    struct Askers(Mutex<HashSet<ThreadId>>);

    impl Random for Askers {
        fn fill(&self, bytes: &mut [u8]) {
            self.0.lock().unwrap().insert(std::thread::current().id());
            bytes.fill(7);
        }
    }

    #[tokio::test]
    async fn a_large_fleet_is_planned_for_on_a_thread_of_its_own() {
        let (mut reconciler, _directory) = world().await;
        let small = reconciler.follow().await.unwrap();
        let node = small.nodes.values().next().unwrap().clone();
        let mut large = small.clone();
        large.nodes.extend((1..=PLANNED_ON_THE_SPOT_MAX as u128).map(|id| {
            let machine_id = MachineId::from_bytes(id.to_be_bytes());
            (machine_id, NodeRecord { machine_id, ..node.clone() })
        }));
        for (fleet, here) in [(small, true), (large, false)] {
            let askers = Arc::new(Askers::default());
            let (_, plan) = planned(fleet, askers.clone()).await;
            assert_eq!(plan.changes.place.len(), 2);
            assert_eq!(*askers.0.lock().unwrap() == HashSet::from([std::thread::current().id()]), here);
        }
    }
}
