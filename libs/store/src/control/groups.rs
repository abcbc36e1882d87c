// SPDX-License-Identifier: Apache-2.0
//! Container groups.

use std::sync::Arc;

use cress_domain::{ContainerGroupId, GroupDefinition, Name, ProjectId, Timestamp};

use super::instances::{Whose, end_instances};
use super::{ControlStore, GroupRecord, NewContainerGroup, Revision, RunningInstances, columns, revision};
use crate::StoreError;
use crate::database::{Constraint, Transaction};
use crate::query::{all, execute, execute_or, one};

/// Selects group records; what follows narrows or orders them.
macro_rules! select_groups {
    ($rest:literal) => {
        concat!(
            "SELECT g.id AS id, g.name AS name, g.definition AS definition, p.id AS project_id, p.name AS project_name, ",
            "o.id AS organization_id, o.name AS organization_name FROM control_container_groups g ",
            "JOIN control_projects p ON p.id = g.project_id ",
            "JOIN control_organizations o ON o.id = p.organization_id ",
            $rest
        )
    };
}
pub(super) use select_groups;

impl ControlStore {
    /// Creates a container group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if its project is not there, [`StoreError::Conflict`] if its name or id is taken.
    pub async fn create_container_group(&self, group: &NewContainerGroup) -> Result<Revision, StoreError> {
        let definition = columns::definition_text(&group.definition)?;
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        let insert = sqlx::query(
            "INSERT INTO control_container_groups (id, project_id, name, definition, revision) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(group.id.to_string())
        .bind(group.project_id.to_string())
        .bind(group.name.as_str())
        .bind(definition)
        .bind(revision.0);
        let explain = |constraint| match constraint {
            Constraint::Unique => StoreError::conflict(format!("container group named {} in this project", group.name)),
            Constraint::Reference => StoreError::not_found(format!("project {}", group.project_id)),
        };
        execute_or(&mut transaction, insert, explain).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Every container group of a project, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn container_groups(&self, project: ProjectId) -> Result<Vec<Arc<GroupRecord>>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(select_groups!("WHERE p.id = $1 ORDER BY g.name")).bind(project.to_string());
        all(&mut transaction, select, columns::group).await
    }

    /// The project's container group of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn container_group_by_name(
        &self,
        project: ProjectId,
        name: &Name,
    ) -> Result<Arc<GroupRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(select_groups!("WHERE p.id = $1 AND g.name = $2"));
        let select = select.bind(project.to_string()).bind(name.as_str());
        let found = one(&mut transaction, select, columns::group).await?;
        found.ok_or_else(|| StoreError::not_found(format!("container group named {name} in this project")))
    }

    /// Replaces a container group's definition, and ends its instances in the same transaction if `rule` says so of the definition
    /// before and the new one. Returns what it said. Nobody can change the definition between the question and the write.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn replace_definition(
        &self,
        id: ContainerGroupId,
        definition: &GroupDefinition,
        rule: impl FnOnce(&GroupDefinition, &GroupDefinition) -> RunningInstances + Send,
        now: Timestamp,
    ) -> Result<(Revision, RunningInstances), StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        let instances = rule(&find_definition(&mut transaction, id).await?, definition);
        write_definition(&mut transaction, id, definition, revision).await?;
        match instances {
            RunningInstances::Keep => {}
            RunningInstances::End => {
                end_instances(&mut transaction, Whose::ContainerGroup(id), revision, now).await?;
            }
        }
        transaction.commit().await?;
        Ok((revision, instances))
    }

    /// Changes the number of replicas and nothing else of a definition.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn scale(&self, id: ContainerGroupId, replicas: u32) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        let definition = GroupDefinition { replicas, ..find_definition(&mut transaction, id).await? };
        write_definition(&mut transaction, id, &definition, revision).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Deletes a container group and ends its instances in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the group is not there.
    pub async fn delete_container_group(&self, id: ContainerGroupId, now: Timestamp) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next(&mut transaction).await?;
        end_instances(&mut transaction, Whose::ContainerGroup(id), revision, now).await?;
        let delete = sqlx::query("DELETE FROM control_container_groups WHERE id = $1").bind(id.to_string());
        if execute(&mut transaction, delete).await? == 0 {
            return Err(no_group(id));
        }
        let tombstone = sqlx::query("INSERT INTO control_deleted_groups (id, ended_at, revision) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(now.unix_microseconds())
            .bind(revision.0);
        execute(&mut transaction, tombstone).await?;
        transaction.commit().await?;
        Ok(revision)
    }
}

async fn find_definition(transaction: &mut Transaction, id: ContainerGroupId) -> Result<GroupDefinition, StoreError> {
    let select = sqlx::query("SELECT definition FROM control_container_groups WHERE id = $1").bind(id.to_string());
    one(transaction, select, columns::definition).await?.ok_or_else(|| no_group(id))
}

async fn write_definition(
    transaction: &mut Transaction,
    id: ContainerGroupId,
    definition: &GroupDefinition,
    revision: Revision,
) -> Result<(), StoreError> {
    let update = sqlx::query("UPDATE control_container_groups SET definition = $1, revision = $2 WHERE id = $3")
        .bind(columns::definition_text(definition)?)
        .bind(revision.0)
        .bind(id.to_string());
    if execute(transaction, update).await? == 0 { Err(no_group(id)) } else { Ok(()) }
}

fn no_group(id: ContainerGroupId) -> StoreError {
    StoreError::not_found(format!("container group {id}"))
}
