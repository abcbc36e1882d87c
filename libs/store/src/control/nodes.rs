// SPDX-License-Identifier: Apache-2.0
//! Nodes once they are members.

use cress_domain::{MachineId, Timestamp};

use super::{CertificateRenewal, ControlStore, NodeRecord, Revision};
use crate::{KeyFingerprint, StoreError};

impl ControlStore {
    /// Every node, banned ones too, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        todo!()
    }

    /// One node.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there.
    pub async fn node(&self, _machine_id: MachineId) -> Result<NodeRecord, StoreError> {
        todo!()
    }

    /// Notes that a node is about to get a fresh certificate, for the same key or a new one of its own.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there, [`StoreError::Conflict`] if another node has this key.
    pub async fn record_certificate(
        &self,
        _machine_id: MachineId,
        _key_fingerprint: KeyFingerprint,
        _not_after: Timestamp,
    ) -> Result<CertificateRenewal, StoreError> {
        todo!()
    }

    /// Notes how many instances a node announces, capped as its join token said. Writes nothing if that is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn set_capacity(&self, _machine_id: MachineId, _capacity: u32) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Bans a node and ends its instances in the same transaction. Banning it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn ban_node(&self, _machine_id: MachineId, _now: Timestamp) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Removes a node and ends its instances in the same transaction. Its key may join again with a new join token, unless the
    /// node was banned: a ban outlives the node.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn remove_node(&self, _machine_id: MachineId, _now: Timestamp) -> Result<Revision, StoreError> {
        todo!()
    }
}
