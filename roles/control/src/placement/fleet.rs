// SPDX-License-Identifier: Apache-2.0
//! What the planner knows: groups, nodes and instances at one revision, in orders that make every plan reproducible.

use std::collections::BTreeMap;
use std::sync::Arc;

use cress_domain::{ContainerGroupId, InstanceId, MachineId};
use cress_store::control::{Changes, Feed, GroupRecord, InstanceRecord, NodeRecord, Revision, Snapshot};

/// The fleet as the store had it at one revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleet {
    pub(super) revision: Revision,
    pub(super) groups: BTreeMap<ContainerGroupId, Arc<GroupRecord>>,
    pub(super) nodes: BTreeMap<MachineId, NodeRecord>,
    pub(super) instances: BTreeMap<InstanceId, InstanceRecord>,
}

impl Fleet {
    pub(super) fn follow(&mut self, feed: Feed) {
        match feed {
            Feed::Changes(changes) => self.apply(changes),
            Feed::Reload(snapshot) => *self = Self::from(snapshot),
        }
    }

    /// Of how much a plan is made.
    pub(super) fn size(&self) -> usize {
        self.groups.len() + self.nodes.len() + self.instances.len()
    }

    /// Removals first: a node that is told of again is a new one.
    fn apply(&mut self, changes: Changes) {
        for ended in changes.instances_ended {
            self.instances.remove(&ended.id);
        }
        for machine in changes.nodes_removed {
            self.nodes.remove(&machine);
        }
        for group in changes.groups_deleted {
            self.groups.remove(&group);
        }
        self.groups.extend(changes.groups.into_iter().map(|group| (group.id, group)));
        self.nodes.extend(changes.nodes.into_iter().map(|node| (node.machine_id, node)));
        self.instances.extend(changes.instances.into_iter().map(|instance| (instance.id, instance)));
        self.revision = changes.revision;
    }
}

impl From<Snapshot> for Fleet {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            revision: snapshot.revision,
            groups: snapshot.groups.into_iter().map(|group| (group.id, group)).collect(),
            nodes: snapshot.nodes.into_iter().map(|node| (node.machine_id, node)).collect(),
            instances: snapshot.instances.into_iter().map(|instance| (instance.id, instance)).collect(),
        }
    }
}
