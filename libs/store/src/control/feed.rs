// SPDX-License-Identifier: Apache-2.0
//! How control's replicas learn what the fleet looks like, and what has changed since.

use std::sync::Arc;

use cress_domain::{ContainerGroupId, MachineId};

use super::{ControlStore, EndedInstance, GroupRecord, InstanceRecord, NodeRecord, Revision};
use crate::StoreError;

/// The whole fleet at one revision. Instances name their container group by id, so that each group is held once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Everything up to this revision is in it.
    pub revision: Revision,
    /// Every container group, by id.
    pub groups: Vec<Arc<GroupRecord>>,
    /// Every node, banned ones too, by id.
    pub nodes: Vec<NodeRecord>,
    /// Every live instance, by id.
    pub instances: Vec<InstanceRecord>,
}

/// What has changed between two revisions. Apply the removals before the rest, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Everything up to this revision is in it.
    pub revision: Revision,
    /// Container groups that are new or have another definition.
    pub groups: Vec<Arc<GroupRecord>>,
    /// Container groups that were deleted.
    pub groups_deleted: Vec<ContainerGroupId>,
    /// Nodes that are new or have changed.
    pub nodes: Vec<NodeRecord>,
    /// Nodes that were removed.
    pub nodes_removed: Vec<MachineId>,
    /// Instances that are new or have another deletion cost.
    pub instances: Vec<InstanceRecord>,
    /// Instances that have ended. Some may have come and gone since the revision that was asked for.
    pub instances_ended: Vec<EndedInstance>,
}

/// The answer to a question for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// What has changed; its revision is the one asked with if nothing has.
    Changes(Changes),
    /// The revision asked with is too old (its tombstones are pruned) or unknown (the store was restored from a backup):
    /// forget everything and take this.
    Reload(Snapshot),
}

impl ControlStore {
    /// The latest revision: the cheapest way to see whether anything has changed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        todo!()
    }

    /// The whole fleet, consistent at one revision.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        todo!()
    }

    /// What has changed since a revision, consistent at one revision. Cheap if nothing has.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn changes_since(&self, _revision: Revision) -> Result<Feed, StoreError> {
        todo!()
    }
}
