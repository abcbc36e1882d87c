// SPDX-License-Identifier: Apache-2.0
//! One node of the fleet, what is placed on it, and the stream it is told through.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cress_domain::InstanceId;
use cress_store::KeyFingerprint;
use cress_store::control::{BootId, Revision};
use tokio::sync::{Notify, Semaphore};

use super::facts::GroupFacts;
use super::pace::{Deed, Paces};
use super::report::InstanceReport;
use super::subscription::StreamEnd;

/// What control knows of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeFacts {
    /// SHA-256 of the public key (SPKI, DER) with which it enrolled.
    pub(crate) key_fingerprint: KeyFingerprint,
    /// Whether it may work.
    pub(crate) standing: NodeStanding,
    /// How many instances it is ready to run.
    pub(crate) capacity: u32,
    /// How many its join token allows at most; none: as many as it says.
    pub(crate) capacity_max: Option<u32>,
    /// The agent that connected last, to any replica.
    pub(crate) boot_id: Option<BootId>,
}

/// Whether a node may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeStanding {
    /// It may.
    Active,
    /// It may not, and never again with this key.
    Banned,
}

/// An instance placed on a node. A small record: there are many.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    /// What it is an instance of.
    pub(crate) group: Arc<GroupFacts>,
    /// Lower goes first when replicas are scaled down.
    pub(crate) deletion_cost: i32,
    /// What its node last said of it.
    pub(crate) report: Option<Box<InstanceReport>>,
}

/// Batches of tokens that are signed for one node at once.
const BATCHES_AT_ONCE: usize = 2;

#[derive(Debug)]
pub(super) struct Node {
    state: RwLock<NodeState>,
    paces: Mutex<Paces>,
    /// Places of batches that are being signed.
    pub(super) batches: Arc<Semaphore>,
}

#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) facts: NodeFacts,
    /// The store's revision that they are of, or a later one.
    pub(super) as_of: Revision,
    /// It is no longer of the fleet, though someone may still hold it: no stream may be opened any more.
    pub(super) removed: bool,
    /// The capacity that it announced last, which its join token may cap.
    pub(super) announced: Option<u32>,
    pub(super) instances: HashMap<InstanceId, Assignment>,
    pub(super) stream: Option<Arc<StreamHandle>>,
}

/// How the node's one open stream is told that there is something to look at, or that it is over.
#[derive(Debug, Default)]
pub(super) struct StreamHandle {
    pub(super) changed: Notify,
    end: AtomicU8,
    /// The agent at its other end, once it has said so, and the store's revision at which that was noted.
    agent: OnceLock<(BootId, Revision)>,
}

impl Node {
    pub(super) fn new(facts: NodeFacts, as_of: Revision) -> Self {
        let (instances, stream) = (HashMap::new(), None);
        let state = NodeState { facts, as_of, removed: false, announced: None, instances, stream };
        let batches = Arc::new(Semaphore::new(BATCHES_AT_ONCE));
        Self { state: RwLock::new(state), paces: Mutex::default(), batches }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, NodeState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, NodeState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn may(&self, deed: Deed) -> bool {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).take(deed)
    }
}

impl NodeState {
    /// Wakes the stream, so that it looks for what has changed.
    pub(super) fn announce(&self) {
        if let Some(stream) = &self.stream {
            stream.changed.notify_one();
        }
    }

    /// Ends the stream, if one is open.
    pub(super) fn cut(&mut self, why: StreamEnd) {
        if let Some(stream) = self.stream.take() {
            stream.end(why);
        }
    }
}

impl StreamHandle {
    pub(super) fn end(&self, why: StreamEnd) {
        let number = match why {
            StreamEnd::Replaced => 1,
            StreamEnd::Banned => 2,
            StreamEnd::Removed => 3,
        };
        self.end.store(number, Ordering::Release);
        self.changed.notify_one();
    }

    /// Which agent is at its other end, as the store has it since this revision.
    pub(super) fn belongs_to(&self, boot_id: BootId, noted_at: Revision) {
        let _only_the_first_counts = self.agent.set((boot_id, noted_at));
    }

    /// Whether this agent has connected after the one at its other end, by what the store had at a revision. What it had before that one was
    /// noted says nothing.
    pub(super) fn is_replaced_by(&self, boot_id: BootId, as_of: Revision) -> bool {
        self.agent.get().is_some_and(|(own, noted_at)| *own != boot_id && *noted_at <= as_of)
    }

    pub(super) fn ended(&self) -> Option<StreamEnd> {
        match self.end.load(Ordering::Acquire) {
            0 => None,
            1 => Some(StreamEnd::Replaced),
            2 => Some(StreamEnd::Banned),
            _ => Some(StreamEnd::Removed),
        }
    }
}
