// SPDX-License-Identifier: Apache-2.0
//! Nodes once they are members.

use cress_domain::{MachineId, Timestamp};

use super::instances::{Whose, end_instances};
use super::{CertificateRenewal, ControlStore, NodeRecord, NodeState, Revision, columns, revision};
use crate::database::Transaction;
use crate::query::{all, execute, one};
use crate::{KeyFingerprint, StoreError};

/// Selects node records; what follows narrows or orders them.
macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT machine_id, name, key_fingerprint, capacity, capacity_max, organizations, state, enrolled_at, ",
            "certificate_not_after, boot_id, boot_id_before, duplicated_at FROM control_nodes ",
            $rest
        )
    };
}
pub(super) use select_nodes;

impl ControlStore {
    /// Every node, banned ones too, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        all(&mut transaction, sqlx::query(select_nodes!("ORDER BY name, machine_id")), columns::node).await
    }

    /// One node.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there.
    pub async fn node(&self, machine_id: MachineId) -> Result<NodeRecord, StoreError> {
        find(&mut self.database.read().await?, machine_id).await
    }

    /// Notes that a node is about to get a fresh certificate for its key. The key of a node never changes, so that a ban of
    /// the one is a ban of the other. It takes no revision: a node may renew as it likes, and nobody who follows the feed goes by the
    /// end of its certificate.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such node with this key.
    pub async fn record_certificate(
        &self,
        machine_id: MachineId,
        key_fingerprint: KeyFingerprint,
        not_after: Timestamp,
    ) -> Result<CertificateRenewal, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        let node = find(&mut transaction, machine_id).await?;
        if node.key_fingerprint != key_fingerprint {
            return Err(StoreError::not_found(format!("node {machine_id} with the key {key_fingerprint}")));
        }
        if node.state == NodeState::Banned {
            return Ok(CertificateRenewal::Banned);
        }
        let update = sqlx::query("UPDATE control_nodes SET certificate_not_after = $1 WHERE machine_id = $2")
            .bind(not_after.unix_microseconds())
            .bind(machine_id.to_string());
        execute(&mut transaction, update).await?;
        transaction.commit().await?;
        Ok(CertificateRenewal::Recorded)
    }

    /// Notes how many instances a node announces, capped as its join token said. Writes nothing if that is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn set_capacity(&self, machine_id: MachineId, capacity: u32) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        let node = find(&mut transaction, machine_id).await?;
        let capacity = capped(capacity, node.capacity_max);
        if capacity == node.capacity {
            return Ok(revision.previous());
        }
        let update = sqlx::query("UPDATE control_nodes SET capacity = $1, revision = $2 WHERE machine_id = $3")
            .bind(i64::from(capacity))
            .bind(revision.0)
            .bind(machine_id.to_string());
        execute(&mut transaction, update).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Bans a node and ends its instances in the same transaction. Banning it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn ban_node(&self, machine_id: MachineId, now: Timestamp) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        let node = find(&mut transaction, machine_id).await?;
        if node.state == NodeState::Banned {
            return Ok(revision.previous());
        }
        end_instances(&mut transaction, Whose::Machine(machine_id), revision, now).await?;
        let update = sqlx::query("UPDATE control_nodes SET state = $1, revision = $2 WHERE machine_id = $3")
            .bind(NodeState::Banned.as_str())
            .bind(revision.0)
            .bind(machine_id.to_string());
        execute(&mut transaction, update).await?;
        let ban = sqlx::query("INSERT INTO control_banned_keys (key_fingerprint, banned_at) VALUES ($1, $2)")
            .bind(node.key_fingerprint.to_string())
            .bind(now.unix_microseconds());
        execute(&mut transaction, ban).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Removes a node and ends its instances in the same transaction. Its key may join again with a new join token, unless the
    /// node was banned: a ban outlives the node.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn remove_node(&self, machine_id: MachineId, now: Timestamp) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        end_instances(&mut transaction, Whose::Machine(machine_id), revision, now).await?;
        let delete = sqlx::query("DELETE FROM control_nodes WHERE machine_id = $1").bind(machine_id.to_string());
        if execute(&mut transaction, delete).await? == 0 {
            return Err(no_node(machine_id));
        }
        let tombstone = sqlx::query("INSERT INTO control_removed_nodes (id, ended_at, revision) VALUES ($1, $2, $3)")
            .bind(machine_id.to_string())
            .bind(now.unix_microseconds())
            .bind(revision.0);
        execute(&mut transaction, tombstone).await?;
        transaction.commit().await?;
        Ok(revision)
    }
}

pub(super) async fn find(transaction: &mut Transaction, machine_id: MachineId) -> Result<NodeRecord, StoreError> {
    let select = sqlx::query(select_nodes!("WHERE machine_id = $1")).bind(machine_id.to_string());
    one(transaction, select, columns::node).await?.ok_or_else(|| no_node(machine_id))
}

pub(super) async fn is_banned(transaction: &mut Transaction, key: KeyFingerprint) -> Result<bool, StoreError> {
    let select = sqlx::query("SELECT banned_at FROM control_banned_keys WHERE key_fingerprint = $1");
    Ok(one(transaction, select.bind(key.to_string()), |_| Ok(())).await?.is_some())
}

/// No node announces more than its join token allowed.
pub(super) fn capped(capacity: u32, capacity_max: Option<u32>) -> u32 {
    capacity_max.map_or(capacity, |most| capacity.min(most))
}

fn no_node(machine_id: MachineId) -> StoreError {
    StoreError::not_found(format!("node {machine_id}"))
}
