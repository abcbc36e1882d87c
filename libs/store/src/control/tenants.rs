// SPDX-License-Identifier: Apache-2.0
//! Organizations and their projects.

use cress_domain::{Name, OrganizationId, ProjectId};

use super::{ControlStore, OrganizationRecord, ProjectRecord, columns};
use crate::StoreError;
use crate::database::Constraint;
use crate::query::{all, execute_or, one};

impl ControlStore {
    /// Creates an organization.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_organization(&self, organization: &OrganizationRecord) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let insert = sqlx::query("INSERT INTO control_organizations (id, name) VALUES ($1, $2)")
            .bind(organization.id.to_string())
            .bind(organization.name.as_str());
        let taken = |_| StoreError::conflict(format!("organization named {}", organization.name));
        execute_or(&mut transaction, insert, taken).await?;
        transaction.commit().await
    }

    /// Every organization, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn organizations(&self) -> Result<Vec<OrganizationRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT id, name FROM control_organizations ORDER BY name");
        all(&mut transaction, select, columns::organization).await
    }

    /// The organization of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn organization_by_name(&self, name: &Name) -> Result<OrganizationRecord, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT id, name FROM control_organizations WHERE name = $1").bind(name.as_str());
        let found = one(&mut transaction, select, columns::organization).await?;
        found.ok_or_else(|| StoreError::not_found(format!("organization named {name}")))
    }

    /// Deletes an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there, [`StoreError::InUse`] if it has projects.
    pub async fn delete_organization(&self, id: OrganizationId) -> Result<(), StoreError> {
        let what = format!("organization {id}");
        let delete = sqlx::query("DELETE FROM control_organizations WHERE id = $1").bind(id.to_string());
        self.delete(delete, what, "projects").await
    }

    /// Creates a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if its organization is not there, [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_project(&self, project: &ProjectRecord) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let insert = sqlx::query("INSERT INTO control_projects (id, organization_id, name) VALUES ($1, $2, $3)")
            .bind(project.id.to_string())
            .bind(project.organization_id.to_string())
            .bind(project.name.as_str());
        let explain = |constraint| match constraint {
            Constraint::Unique => StoreError::conflict(format!("project named {} in this organization", project.name)),
            Constraint::Reference => StoreError::not_found(format!("organization {}", project.organization_id)),
        };
        execute_or(&mut transaction, insert, explain).await?;
        transaction.commit().await
    }

    /// Every project of an organization, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn projects(&self, organization: OrganizationId) -> Result<Vec<ProjectRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT id, organization_id, name FROM control_projects WHERE organization_id = $1 ORDER BY name",
        );
        all(&mut transaction, select.bind(organization.to_string()), columns::project).await
    }

    /// The organization's project of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn project_by_name(
        &self,
        organization: OrganizationId,
        name: &Name,
    ) -> Result<ProjectRecord, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT id, organization_id, name FROM control_projects WHERE organization_id = $1 AND name = $2",
        );
        let select = select.bind(organization.to_string()).bind(name.as_str());
        let found = one(&mut transaction, select, columns::project).await?;
        found.ok_or_else(|| StoreError::not_found(format!("project named {name} in this organization")))
    }

    /// Deletes a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there, [`StoreError::InUse`] if it has container groups.
    pub async fn delete_project(&self, id: ProjectId) -> Result<(), StoreError> {
        let what = format!("project {id}");
        let delete = sqlx::query("DELETE FROM control_projects WHERE id = $1").bind(id.to_string());
        self.delete(delete, what, "container groups").await
    }

    async fn delete(
        &self,
        delete: crate::query::Statement<'_>,
        what: String,
        children: &'static str,
    ) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let in_use = |_| StoreError::InUse { what: what.clone(), children };
        if execute_or(&mut transaction, delete, in_use).await? == 0 {
            return Err(StoreError::not_found(what));
        }
        transaction.commit().await
    }
}
