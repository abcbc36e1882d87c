// SPDX-License-Identifier: Apache-2.0
//! Organizations and projects.

use axum::extract::State;
use cress_api::admin::{CreateOrganization, CreateProject, List, Organization, Project};
use cress_domain::{Name, OrganizationId, ProjectId};
use cress_service::problem::{Json, Path};
use cress_store::control::{OrganizationRecord, ProjectRecord};
use http::StatusCode;

use super::error::{AdminError, called};
use super::state::Admin;

pub(super) async fn organizations(State(admin): State<Admin>) -> Result<Json<List<Organization>>, AdminError> {
    let organizations = admin.store.organizations().await?;
    Ok(Json(List { items: organizations.into_iter().map(organization).collect() }))
}

pub(super) async fn create_organization(
    State(admin): State<Admin>,
    Json(CreateOrganization { name }): Json<CreateOrganization>,
) -> Result<(StatusCode, Json<Organization>), AdminError> {
    let created = OrganizationRecord { id: OrganizationId::generate(admin.random.as_ref()), name };
    admin.store.create_organization(&created).await?;
    tracing::info!(id = %created.id, name = %created.name, "organization created");
    Ok((StatusCode::CREATED, Json(organization(created))))
}

pub(super) async fn delete_organization(
    State(admin): State<Admin>,
    Path(name): Path<Name>,
) -> Result<StatusCode, AdminError> {
    let found = admin.store.organization_by_name(&name).await?;
    let deleted = admin.store.delete_organization(found.id).await;
    deleted.map_err(|error| called(error, format!("organization {name}")))?;
    tracing::info!(id = %found.id, %name, "organization deleted");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn projects(
    State(admin): State<Admin>,
    Path(organization): Path<Name>,
) -> Result<Json<List<Project>>, AdminError> {
    let organization = admin.store.organization_by_name(&organization).await?;
    let projects = admin.store.projects(organization.id).await?;
    Ok(Json(List { items: projects.into_iter().map(project).collect() }))
}

pub(super) async fn create_project(
    State(admin): State<Admin>,
    Path(organization): Path<Name>,
    Json(CreateProject { name }): Json<CreateProject>,
) -> Result<(StatusCode, Json<Project>), AdminError> {
    let organization = admin.store.organization_by_name(&organization).await?;
    let id = ProjectId::generate(admin.random.as_ref());
    let created = ProjectRecord { id, organization_id: organization.id, name };
    admin.store.create_project(&created).await?;
    tracing::info!(%id, name = %created.name, organization = %organization.name, "project created");
    Ok((StatusCode::CREATED, Json(project(created))))
}

pub(super) async fn delete_project(
    State(admin): State<Admin>,
    Path((organization, project)): Path<(Name, Name)>,
) -> Result<StatusCode, AdminError> {
    let (_, found) = admin.project(&organization, &project).await?;
    let deleted = admin.store.delete_project(found.id).await;
    deleted.map_err(|error| called(error, format!("project {project}")))?;
    tracing::info!(id = %found.id, name = %project, %organization, "project deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn organization(OrganizationRecord { id, name }: OrganizationRecord) -> Organization {
    Organization { id, name }
}

fn project(ProjectRecord { id, name, .. }: ProjectRecord) -> Project {
    Project { id, name }
}
