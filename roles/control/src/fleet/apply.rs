// SPDX-License-Identifier: Apache-2.0
//! How the table changes. Only the feed calls these, one after the other.

use std::collections::HashSet;
use std::sync::Arc;

use cress_domain::{ContainerGroupId, InstanceId, MachineId};
use cress_store::control::Revision;

use super::facts::GroupFacts;
use super::node::{Assignment, Node, NodeFacts, NodeStanding, StreamHandle};
use super::subscription::StreamEnd;
use super::view::FleetView;

/// Where an instance is placed, as the store says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    pub(super) instance: InstanceId,
    pub(super) machine: MachineId,
    pub(super) group: ContainerGroupId,
    pub(super) deletion_cost: i32,
}

/// A placement on a node or of a group that the table does not have: the feed is to take a fresh snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the instance {instance} is placed on a node or belongs to a container group that the feed has not told of")]
pub(crate) struct Dangling {
    instance: InstanceId,
}

impl FleetView {
    pub(super) fn put_group(&self, facts: GroupFacts) {
        let id = facts.id;
        let facts = {
            let mut groups = self.groups_mut();
            if groups.get(&id).is_some_and(|known| **known == facts) {
                return;
            }
            let facts = Arc::new(facts);
            groups.insert(id, Arc::clone(&facts));
            facts
        };
        for node in self.nodes().values() {
            let mut state = node.write();
            let mut changed = false;
            for assignment in state.instances.values_mut().filter(|assignment| assignment.group.id == id) {
                assignment.group = Arc::clone(&facts);
                changed = true;
            }
            if changed {
                state.announce();
            }
        }
    }

    /// What the store had of a node at a revision.
    pub(super) fn put_node(&self, machine: MachineId, facts: NodeFacts, as_of: Revision) {
        let mut nodes = self.nodes_mut();
        let node = nodes.entry(machine).or_insert_with(|| Arc::new(Node::new(facts, as_of)));
        let mut state = node.write();
        // An agent has connected to another replica: the newest stream is served, wherever it is.
        let boot_id = facts.boot_id.filter(|boot_id| state.facts.boot_id != Some(*boot_id));
        let is_replaced =
            |stream: &Arc<StreamHandle>| boot_id.is_some_and(|boot_id| stream.is_replaced_by(boot_id, as_of));
        if state.stream.as_ref().is_some_and(is_replaced) {
            state.cut(StreamEnd::Replaced);
        }
        (state.facts, state.as_of) = (facts, as_of);
        if facts.standing == NodeStanding::Banned {
            state.cut(StreamEnd::Banned);
        }
    }

    pub(super) fn drop_node(&self, machine: MachineId) {
        if let Some(node) = self.nodes_mut().remove(&machine) {
            let mut state = node.write();
            state.removed = true;
            state.instances.clear();
            state.cut(StreamEnd::Removed);
        }
    }

    pub(super) fn place(&self, placement: Placement) -> Result<(), Dangling> {
        let Placement { instance, machine, group, deletion_cost } = placement;
        let dangling = Dangling { instance };
        let group = self.groups_mut().get(&group).map(Arc::clone).ok_or(dangling)?;
        let nodes = self.nodes();
        let mut state = nodes.get(&machine).ok_or(dangling)?.write();
        let assignment = state.instances.entry(instance);
        let assignment = assignment.or_insert_with(|| Assignment { group, deletion_cost, report: None });
        assignment.deletion_cost = deletion_cost;
        state.announce();
        Ok(())
    }

    pub(super) fn end(&self, machine: MachineId, instance: InstanceId) {
        if let Some(node) = self.nodes().get(&machine) {
            let mut state = node.write();
            if state.instances.remove(&instance).is_some() {
                state.announce();
            }
        }
    }

    /// Drops every node, group and instance that a fresh snapshot does not name.
    pub(super) fn retain(
        &self,
        nodes: &HashSet<MachineId>,
        groups: &HashSet<ContainerGroupId>,
        instances: &HashSet<InstanceId>,
    ) {
        let gone: Vec<MachineId> = self.nodes().keys().filter(|machine| !nodes.contains(machine)).copied().collect();
        for machine in gone {
            self.drop_node(machine);
        }
        for node in self.nodes().values() {
            let mut state = node.write();
            let before = state.instances.len();
            state.instances.retain(|instance, _| instances.contains(instance));
            if state.instances.len() != before {
                state.announce();
            }
        }
        self.drop_groups(|group| !groups.contains(&group));
    }

    /// Forgets groups; what is still placed of them keeps its facts until it ends.
    pub(super) fn drop_groups(&self, gone: impl Fn(ContainerGroupId) -> bool) {
        self.groups_mut().retain(|id, _| !gone(*id));
    }
}
