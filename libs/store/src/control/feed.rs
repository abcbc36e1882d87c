// SPDX-License-Identifier: Apache-2.0
//! How control's replicas learn what the fleet looks like, and what has changed since.

use std::sync::Arc;

use cress_domain::{ContainerGroupId, MachineId};

use super::groups::select_groups;
use super::nodes::select_nodes;
use super::{ControlStore, EndedInstance, GroupRecord, InstanceRecord, NodeRecord, Revision, columns, revision};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::all;
use crate::row::Columns;

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

/// What has changed between two revisions. Apply the removals before the rest; the order within each list means nothing.
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
        let (current, _) = revision::current(&mut self.database.read().await?).await?;
        Ok(current)
    }

    /// The whole fleet, consistent at one revision.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut transaction = self.database.read().await?;
        let (current, _) = revision::current(&mut transaction).await?;
        snapshot(&mut transaction, current).await
    }

    /// What has changed since a revision, consistent at one revision. Cheap if nothing has.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn changes_since(&self, since: Revision) -> Result<Feed, StoreError> {
        let mut transaction = self.database.read().await?;
        let (current, pruned) = revision::current(&mut transaction).await?;
        if since == current {
            Ok(Feed::Changes(Changes { revision: current, ..Changes::default() }))
        } else if since > current || since < pruned {
            snapshot(&mut transaction, current).await.map(Feed::Reload)
        } else {
            changes(&mut transaction, since, current).await.map(Feed::Changes)
        }
    }
}

/// Ended instances in one list.
const ENDED_LISTED_MAX: i64 = 10_000;

impl ControlStore {
    /// The instances that ended within [`super::TOMBSTONE_LIFE`], the newest first; no more than ten thousand.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn ended_instances(&self) -> Result<Vec<EndedInstance>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT id, machine_id, ended_at FROM control_ended_instances ORDER BY ended_at DESC, id LIMIT $1",
        );
        all(&mut transaction, select.bind(ENDED_LISTED_MAX), columns::ended_instance).await
    }
}

macro_rules! select_instances {
    ($rest:literal) => {
        concat!("SELECT id, container_group_id, machine_id, deletion_cost, placed_at FROM control_instances", $rest)
    };
}

async fn snapshot(transaction: &mut Transaction, revision: Revision) -> Result<Snapshot, StoreError> {
    let mut groups = all(transaction, sqlx::query(select_groups!("")), columns::group).await?;
    let mut nodes = all(transaction, sqlx::query(select_nodes!("")), columns::node).await?;
    let mut instances = all(transaction, sqlx::query(select_instances!("")), columns::instance).await?;
    // Sorted here: the database would look up every row in the order of an index.
    groups.sort_unstable_by_key(|group| group.id);
    nodes.sort_unstable_by_key(|node| node.machine_id);
    instances.sort_unstable_by_key(|instance| instance.id);
    instances.shrink_to_fit();
    Ok(Snapshot { revision, groups, nodes, instances })
}

/// In no order of ids: asked for one, the database would walk the whole table in it instead of the few rows that changed.
async fn changes(transaction: &mut Transaction, since: Revision, revision: Revision) -> Result<Changes, StoreError> {
    let query = |sql: &'static str| sqlx::query(sql).bind(since.0);
    let groups = query(select_groups!("WHERE g.revision > $1"));
    let groups_deleted = query("SELECT id FROM control_deleted_groups WHERE revision > $1");
    let nodes = query(select_nodes!("WHERE revision > $1"));
    let nodes_removed = query("SELECT id FROM control_removed_nodes WHERE revision > $1");
    let instances = query(select_instances!(" WHERE revision > $1"));
    let instances_ended = query("SELECT id, machine_id, ended_at FROM control_ended_instances WHERE revision > $1");
    Ok(Changes {
        revision,
        groups: all(transaction, groups, columns::group).await?,
        groups_deleted: all(transaction, groups_deleted, |row| row.parsed("id")).await?,
        nodes: all(transaction, nodes, columns::node).await?,
        nodes_removed: all(transaction, nodes_removed, |row| row.parsed("id")).await?,
        instances: all(transaction, instances, columns::instance).await?,
        instances_ended: all(transaction, instances_ended, columns::ended_instance).await?,
    })
}
