// SPDX-License-Identifier: Apache-2.0
//! How the table follows the store: a question every quarter of a second, and at once when this process has written.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::Clock;
use cress_store::StoreError;
use cress_store::control::{
    Changes, ControlStore, Feed as Answer, GroupRecord, NodeRecord, NodeState, Revision, Snapshot,
};

use super::apply::{Dangling, Placement};
use super::facts::{GroupFacts, GroupFactsError};
use super::node::{NodeFacts, NodeStanding};
use super::view::FleetView;
use super::waker::FeedWaker;
use crate::metrics::{Counters, StorePart};

/// How often the store is asked: another replica's write is seen this much later.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The same while the store fails.
const POLL_INTERVAL_FAILING: Duration = Duration::from_secs(1);

/// The task that keeps the table current.
#[derive(Debug)]
pub(crate) struct Feed {
    store: ControlStore,
    view: FleetView,
    waker: FeedWaker,
    parts: FeedParts,
    /// None: the table is to be loaded anew. So it is after each failure: while the store was away, an older copy may have taken its
    /// place, and its revisions may have come as far as this one since.
    revision: Option<Revision>,
    /// The latest that the table held.
    reached: Revision,
    state: FeedState,
}

/// What the feed is made with beside its store and table.
#[derive(Clone)]
pub(crate) struct FeedParts {
    /// The clock that the table's age is told by.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where failures are counted.
    pub(crate) counters: Counters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FeedState {
    Following,
    Failing,
}

/// Why the table did not follow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A group cannot be understood.
    #[error(transparent)]
    Group(#[from] GroupFactsError),
    /// The changes do not fit what came before.
    #[error(transparent)]
    Dangling(#[from] Dangling),
}

impl Feed {
    /// Loads the table for the first time.
    ///
    /// # Errors
    /// [`FeedError`]
    pub(crate) async fn open(
        store: ControlStore,
        view: FleetView,
        waker: FeedWaker,
        parts: FeedParts,
    ) -> Result<Self, FeedError> {
        let mut feed = Self {
            store,
            view,
            waker,
            parts,
            revision: None,
            reached: Revision::default(),
            state: FeedState::Following,
        };
        feed.poll().await?;
        Ok(feed)
    }

    /// Follows the store until `cancel` resolves.
    pub(crate) async fn run(mut self, cancel: impl Future<Output = ()> + Send) {
        let follow = async {
            loop {
                let pause = match self.state {
                    FeedState::Following => POLL_INTERVAL,
                    FeedState::Failing => POLL_INTERVAL_FAILING,
                };
                tokio::select! {
                    () = self.waker.woken() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                let polled = self.poll().await;
                self.note(&polled);
            }
        };
        tokio::select! {
            () = follow => {}
            () = cancel => {}
        }
    }

    /// One question to the store, and its answer in the table.
    async fn poll(&mut self) -> Result<(), FeedError> {
        let number = self.waker.begin_poll();
        let asked_at = self.parts.clock.monotonic();
        let answer = match self.revision.take() {
            None => Answer::Reload(self.store.snapshot().await?),
            Some(revision) => self.store.changes_since(revision).await?,
        };
        let revision = match answer {
            Answer::Changes(changes) => apply_changes(&self.view, changes)?,
            Answer::Reload(snapshot) => apply_snapshot(&self.view, snapshot)?,
        };
        self.tell_if_it_went_back(revision);
        self.revision = Some(revision);
        self.view.confirm(asked_at);
        self.waker.finish_poll(number);
        Ok(())
    }

    fn tell_if_it_went_back(&mut self, revision: Revision) {
        if revision < self.reached {
            tracing::warn!(
                "the store is older than before: was it restored from a backup? The fleet is now what the store says; nodes and keys that were \
                 added or banned since that backup have to be added or banned again"
            );
        }
        self.reached = revision;
    }

    fn note(&mut self, polled: &Result<(), FeedError>) {
        match (polled, self.state) {
            (Ok(()), FeedState::Following) => {}
            (Ok(()), FeedState::Failing) => {
                tracing::info!("following the store again");
                self.state = FeedState::Following;
            }
            (Err(error), state) => {
                self.parts.counters.store_failed(StorePart::feed);
                if state == FeedState::Following {
                    tracing::warn!(%error, "the view of the fleet does not follow the store; trying again");
                }
                self.state = FeedState::Failing;
            }
        }
    }
}

/// Removals first: a group or node that is told of again is a new one.
fn apply_changes(view: &FleetView, changes: Changes) -> Result<Revision, FeedError> {
    for ended in changes.instances_ended {
        view.end(ended.machine_id, ended.id);
    }
    for machine in changes.nodes_removed {
        view.drop_node(machine);
    }
    if !changes.groups_deleted.is_empty() {
        view.drop_groups(|group| changes.groups_deleted.contains(&group));
    }
    put(view, &changes.groups, &changes.nodes, changes.revision)?;
    for instance in changes.instances {
        view.place(placement(instance))?;
    }
    Ok(changes.revision)
}

fn apply_snapshot(view: &FleetView, snapshot: Snapshot) -> Result<Revision, FeedError> {
    let nodes: HashSet<_> = snapshot.nodes.iter().map(|node| node.machine_id).collect();
    let groups: HashSet<_> = snapshot.groups.iter().map(|group| group.id).collect();
    let instances: HashSet<_> = snapshot.instances.iter().map(|instance| instance.id).collect();
    view.retain(&nodes, &groups, &instances);
    put(view, &snapshot.groups, &snapshot.nodes, snapshot.revision)?;
    for instance in snapshot.instances {
        view.place(placement(instance))?;
    }
    Ok(snapshot.revision)
}

fn put(
    view: &FleetView,
    groups: &[Arc<GroupRecord>],
    nodes: &[NodeRecord],
    as_of: Revision,
) -> Result<(), GroupFactsError> {
    for group in groups {
        view.put_group(facts(group)?);
    }
    for node in nodes {
        let standing = match node.state {
            NodeState::Active => NodeStanding::Active,
            NodeState::Banned => NodeStanding::Banned,
        };
        let facts = NodeFacts {
            key_fingerprint: node.key_fingerprint,
            standing,
            capacity: node.capacity,
            capacity_max: node.capacity_max,
            boot_id: node.boot_id,
        };
        view.put_node(node.machine_id, facts, as_of);
    }
    Ok(())
}

fn facts(group: &GroupRecord) -> Result<GroupFacts, GroupFactsError> {
    GroupFacts::new(
        (group.id, group.name.clone()),
        (group.project_id, group.project_name.clone()),
        (group.organization_id, group.organization_name.clone()),
        group.definition.clone(),
    )
}

const fn placement(instance: cress_store::control::InstanceRecord) -> Placement {
    Placement {
        instance: instance.id,
        machine: instance.machine_id,
        group: instance.container_group_id,
        deletion_cost: instance.deletion_cost,
    }
}

impl std::fmt::Debug for FeedParts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FeedParts(..)")
    }
}
