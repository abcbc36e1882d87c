// SPDX-License-Identifier: Apache-2.0
//! Container groups.

use std::sync::Arc;

use cress_domain::{ContainerGroupId, GroupDefinition, Name, ProjectId, Timestamp};

use super::{ControlStore, GroupRecord, NewContainerGroup, Revision, RunningInstances};
use crate::StoreError;

impl ControlStore {
    /// Creates a container group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if its project is not there, [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_container_group(&self, _group: &NewContainerGroup) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Every container group of a project, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn container_groups(&self, _project: ProjectId) -> Result<Vec<Arc<GroupRecord>>, StoreError> {
        todo!()
    }

    /// The project's container group of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn container_group_by_name(
        &self,
        _project: ProjectId,
        _name: &Name,
    ) -> Result<Arc<GroupRecord>, StoreError> {
        todo!()
    }

    /// Replaces a container group's definition, and ends its instances in the same transaction if told so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn replace_definition(
        &self,
        _id: ContainerGroupId,
        _definition: &GroupDefinition,
        _instances: RunningInstances,
        _now: Timestamp,
    ) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Changes the number of replicas and nothing else of a definition.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn scale(&self, _id: ContainerGroupId, _replicas: u32) -> Result<Revision, StoreError> {
        todo!()
    }

    /// Deletes a container group and ends its instances in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn delete_container_group(&self, _id: ContainerGroupId, _now: Timestamp) -> Result<Revision, StoreError> {
        todo!()
    }
}
