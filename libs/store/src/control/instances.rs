// SPDX-License-Identifier: Apache-2.0
//! Instances: where they are placed, until they end.

use cress_domain::{InstanceId, MachineId, Timestamp};

use super::{ControlStore, PlacementPlan, Revision};
use crate::StoreError;

impl ControlStore {
    /// Carries out a plan, if nothing has changed since the revision that it was made from. An empty plan writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if something has changed: plan again. [`StoreError::NotFound`] if the plan names a group, node
    /// or instance that does not exist, or a banned node.
    pub async fn apply_placement(
        &self,
        _plan: &PlacementPlan,
        _expected: Revision,
        _now: Timestamp,
    ) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Changes the deletion cost of an instance that is placed on this node. Writes nothing if that is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if no such instance is placed on this node.
    pub async fn set_deletion_cost(
        &self,
        _id: InstanceId,
        _machine_id: MachineId,
        _cost: i32,
    ) -> Result<Revision, StoreError> {
        todo!()
    }
}
