// SPDX-License-Identifier: Apache-2.0
//! Organizations and their projects.

use cress_domain::{Name, OrganizationId, ProjectId};

use super::{ControlStore, OrganizationRecord, ProjectRecord};
use crate::StoreError;

impl ControlStore {
    /// Creates an organization.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_organization(&self, _organization: &OrganizationRecord) -> Result<(), StoreError> {
        todo!()
    }

    /// Every organization, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn organizations(&self) -> Result<Vec<OrganizationRecord>, StoreError> {
        todo!()
    }

    /// The organization of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn organization_by_name(&self, _name: &Name) -> Result<OrganizationRecord, StoreError> {
        todo!()
    }

    /// Deletes an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there, [`StoreError::InUse`] if it has projects.
    pub async fn delete_organization(&self, _id: OrganizationId) -> Result<(), StoreError> {
        todo!()
    }

    /// Creates a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if its organization is not there, [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_project(&self, _project: &ProjectRecord) -> Result<(), StoreError> {
        todo!()
    }

    /// Every project of an organization, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn projects(&self, _organization: OrganizationId) -> Result<Vec<ProjectRecord>, StoreError> {
        todo!()
    }

    /// The organization's project of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn project_by_name(
        &self,
        _organization: OrganizationId,
        _name: &Name,
    ) -> Result<ProjectRecord, StoreError> {
        todo!()
    }

    /// Deletes a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there, [`StoreError::InUse`] if it has container groups.
    pub async fn delete_project(&self, _id: ProjectId) -> Result<(), StoreError> {
        todo!()
    }
}
