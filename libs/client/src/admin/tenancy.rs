// SPDX-License-Identifier: Apache-2.0
//! Organizations, projects and container groups.

use cress_api::admin::{
    ContainerGroup, CreateContainerGroup, CreateOrganization, CreateProject, Organization, Project,
    ReplaceContainerGroup, Scale, paths,
};
use cress_domain::{GroupDefinition, Name};
use reqwest::Method;

use super::AdminClient;
use crate::ClientError;
use crate::path::fill;

impl AdminClient {
    /// All organizations.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn organizations(&self) -> Result<Vec<Organization>, ClientError> {
        self.list(paths::ORGANIZATIONS).await
    }

    /// Makes an organization.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_organization(&self, name: &Name) -> Result<Organization, ClientError> {
        let body = CreateOrganization { name: name.clone() };
        self.send(Method::POST, paths::ORGANIZATIONS, &body).await
    }

    /// Deletes an organization without projects.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_organization(&self, name: &Name) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::ORGANIZATION, &[name])).await
    }

    /// An organization's projects.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn projects(&self, organization: &Name) -> Result<Vec<Project>, ClientError> {
        self.list(&fill(paths::PROJECTS, &[organization])).await
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_project(&self, organization: &Name, name: &Name) -> Result<Project, ClientError> {
        let body = CreateProject { name: name.clone() };
        self.send(Method::POST, &fill(paths::PROJECTS, &[organization]), &body).await
    }

    /// Deletes a project without container groups.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_project(&self, organization: &Name, project: &Name) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::PROJECT, &[organization, project])).await
    }

    /// A project's container groups.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn container_groups(
        &self,
        organization: &Name,
        project: &Name,
    ) -> Result<Vec<ContainerGroup>, ClientError> {
        self.list(&fill(paths::CONTAINER_GROUPS, &[organization, project])).await
    }

    /// One container group.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn container_group(
        &self,
        organization: &Name,
        project: &Name,
        group: &Name,
    ) -> Result<ContainerGroup, ClientError> {
        self.read(&fill(paths::CONTAINER_GROUP, &[organization, project, group])).await
    }

    /// Makes a container group.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_container_group(
        &self,
        organization: &Name,
        project: &Name,
        name: &Name,
        definition: &GroupDefinition,
    ) -> Result<ContainerGroup, ClientError> {
        let body = CreateContainerGroup { name: name.clone(), definition: definition.clone() };
        self.send(Method::POST, &fill(paths::CONTAINER_GROUPS, &[organization, project]), &body).await
    }

    /// Replaces a container group's definition.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn replace_container_group(
        &self,
        organization: &Name,
        project: &Name,
        group: &Name,
        definition: &GroupDefinition,
    ) -> Result<ContainerGroup, ClientError> {
        let body = ReplaceContainerGroup { definition: definition.clone() };
        self.send(Method::PUT, &fill(paths::CONTAINER_GROUP, &[organization, project, group]), &body).await
    }

    /// Changes how many replicas a container group has.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn scale_container_group(
        &self,
        organization: &Name,
        project: &Name,
        group: &Name,
        replicas: u32,
    ) -> Result<ContainerGroup, ClientError> {
        self.send(Method::PUT, &fill(paths::REPLICAS, &[organization, project, group]), &Scale { replicas }).await
    }

    /// Deletes a container group; its instances end.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_container_group(
        &self,
        organization: &Name,
        project: &Name,
        group: &Name,
    ) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::CONTAINER_GROUP, &[organization, project, group])).await
    }
}
