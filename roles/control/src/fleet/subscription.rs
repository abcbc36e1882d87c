// SPDX-License-Identifier: Apache-2.0
//! What one node's stream still has to be told.
//!
//! There is no queue. The subscription remembers what it has told and compares: however slow the node, it costs one small record for each
//! of its instances, and is told the sum of what has changed since. It can neither miss a change nor hear of one that is undone.

use std::collections::HashMap;
use std::sync::Arc;

use cress_domain::InstanceId;

use super::facts::GroupFacts;
use super::node::{Assignment, Node, NodeState, StreamHandle};

/// The one open stream of a node. While it exists the node counts as connected.
#[derive(Debug)]
pub(crate) struct Subscription {
    node: Arc<Node>,
    handle: Arc<StreamHandle>,
    /// None before the snapshot.
    told: Option<HashMap<InstanceId, Arc<GroupFacts>>>,
}

/// What there is to tell.
#[derive(Debug, Clone)]
pub(crate) enum Update {
    /// Everything that is placed on the node. Comes first, and once.
    Snapshot(Vec<(InstanceId, Assignment)>),
    /// What is different from what was told before.
    Change {
        /// Placed anew, or its group has changed.
        placed: Vec<(InstanceId, Assignment)>,
        /// No longer placed here.
        ended: Vec<InstanceId>,
    },
    /// Nothing more: the stream is to be closed.
    End(StreamEnd),
}

/// Why a stream is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The same node opened another.
    Replaced,
    /// The node is banned.
    Banned,
    /// The node is no longer of the fleet.
    Removed,
}

impl Subscription {
    pub(super) fn new(node: Arc<Node>, handle: Arc<StreamHandle>) -> Self {
        Self { node, handle, told: None }
    }

    /// Waits until there is something to tell. Cancel safe: what it returns counts as told, what it does not return does not.
    pub(crate) async fn next(&mut self) -> Update {
        loop {
            if let Some(update) = self.step() {
                return update;
            }
            self.handle.changed.notified().await;
        }
    }

    fn step(&mut self) -> Option<Update> {
        if let Some(end) = self.handle.ended() {
            return Some(Update::End(end));
        }
        let state = self.node.read();
        match &mut self.told {
            Some(told) => change(told, &state),
            None => {
                let placed = state.instances.iter();
                self.told = Some(placed.clone().map(|(id, assignment)| (*id, Arc::clone(&assignment.group))).collect());
                Some(Update::Snapshot(placed.map(|(id, assignment)| (*id, assignment.clone())).collect()))
            }
        }
    }
}

/// A changed deletion cost is no news to the node: it came from there, and its echo could overtake a newer one.
fn change(told: &mut HashMap<InstanceId, Arc<GroupFacts>>, state: &NodeState) -> Option<Update> {
    let mut ended = Vec::new();
    told.retain(|id, _| {
        let stays = state.instances.contains_key(id);
        if !stays {
            ended.push(*id);
        }
        stays
    });
    let mut placed = Vec::new();
    for (id, assignment) in &state.instances {
        let known = told.get(id).is_some_and(|group| Arc::ptr_eq(group, &assignment.group));
        if !known {
            told.insert(*id, Arc::clone(&assignment.group));
            placed.push((*id, assignment.clone()));
        }
    }
    (!placed.is_empty() || !ended.is_empty()).then_some(Update::Change { placed, ended })
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.node.write();
        if state.stream.as_ref().is_some_and(|stream| Arc::ptr_eq(stream, &self.handle)) {
            state.stream = None;
        }
    }
}
