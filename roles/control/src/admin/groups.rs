// SPDX-License-Identifier: Apache-2.0
//! Container groups.

use std::collections::HashMap;

use axum::extract::State;
use cress_api::admin::{ContainerGroup, CreateContainerGroup, List, ReplaceContainerGroup, Scale};
use cress_domain::{ContainerGroupId, GroupDefinition, Name};
use cress_service::problem::{Json, Path};
use cress_store::StoreError;
use cress_store::control::{GroupRecord, NewContainerGroup, RunningInstances};
use http::StatusCode;

use super::definition::{check, check_replicas, running_instances};
use super::error::AdminError;
use super::state::Admin;
use super::token_shape::Names;

/// The names of an organization, a project and a container group.
type GroupPath = Path<(Name, Name, Name)>;

pub(super) async fn list(
    State(admin): State<Admin>,
    Path((organization, project)): Path<(Name, Name)>,
) -> Result<Json<List<ContainerGroup>>, AdminError> {
    let (_, project) = admin.project(&organization, &project).await?;
    let groups = admin.store.container_groups(project.id).await?;
    let placed = placed(&admin).await;
    Ok(Json(List { items: groups.iter().map(|group| container_group(group, &placed)).collect() }))
}

pub(super) async fn one(
    State(admin): State<Admin>,
    Path((organization, project, group)): GroupPath,
) -> Result<Json<ContainerGroup>, AdminError> {
    let group = find(&admin, (&organization, &project, &group)).await?;
    Ok(Json(container_group(&group, &placed(&admin).await)))
}

pub(super) async fn create(
    State(admin): State<Admin>,
    Path((organization, project)): Path<(Name, Name)>,
    Json(CreateContainerGroup { name, definition }): Json<CreateContainerGroup>,
) -> Result<(StatusCode, Json<ContainerGroup>), AdminError> {
    let (organization, project) = admin.project(&organization, &project).await?;
    check(&definition, Names { organization: &organization.name, group: &name }, &admin.token_shape)?;
    let id = ContainerGroupId::generate(admin.random.as_ref());
    let group = NewContainerGroup { id, project_id: project.id, name, definition };
    admin.store.create_container_group(&group).await?;
    admin.waker.wake();
    let NewContainerGroup { name, definition, .. } = group;
    tracing::info!(%id, %name, project = %project.name, organization = %organization.name, "container group created");
    Ok((StatusCode::CREATED, Json(ContainerGroup { id, name, definition, placed: 0 })))
}

pub(super) async fn replace(
    State(admin): State<Admin>,
    Path((organization, project, group)): GroupPath,
    Json(ReplaceContainerGroup { definition }): Json<ReplaceContainerGroup>,
) -> Result<Json<ContainerGroup>, AdminError> {
    let group = find(&admin, (&organization, &project, &group)).await?;
    check(&definition, Names { organization: &group.organization_name, group: &group.name }, &admin.token_shape)?;
    let now = admin.clock.now();
    let (_, instances) = admin.store.replace_definition(group.id, &definition, running_instances, now).await?;
    admin.waker.wake();
    let replaced = instances == RunningInstances::End;
    tracing::info!(id = %group.id, name = %group.name, instances_replaced = replaced, "container group changed");
    let group = GroupRecord { definition, ..GroupRecord::clone(&group) };
    Ok(Json(container_group(&group, &placed(&admin).await)))
}

pub(super) async fn scale(
    State(admin): State<Admin>,
    Path((organization, project, group)): GroupPath,
    Json(Scale { replicas }): Json<Scale>,
) -> Result<Json<ContainerGroup>, AdminError> {
    check_replicas(replicas)?;
    let group = find(&admin, (&organization, &project, &group)).await?;
    admin.store.scale(group.id, replicas).await?;
    admin.waker.wake();
    tracing::info!(id = %group.id, name = %group.name, replicas, "container group scaled");
    let definition = GroupDefinition { replicas, ..group.definition.clone() };
    let group = GroupRecord { definition, ..GroupRecord::clone(&group) };
    Ok(Json(container_group(&group, &placed(&admin).await)))
}

pub(super) async fn delete(
    State(admin): State<Admin>,
    Path((organization, project, group)): GroupPath,
) -> Result<StatusCode, AdminError> {
    let group = find(&admin, (&organization, &project, &group)).await?;
    admin.store.delete_container_group(group.id, admin.clock.now()).await?;
    admin.waker.wake();
    tracing::info!(id = %group.id, name = %group.name, "container group deleted");
    Ok(StatusCode::NO_CONTENT)
}

async fn find(
    admin: &Admin,
    (organization, project, group): (&Name, &Name, &Name),
) -> Result<std::sync::Arc<GroupRecord>, StoreError> {
    let (_, project) = admin.project(organization, project).await?;
    admin.store.container_group_by_name(project.id, group).await
}

/// How many instances of each group are placed, by the fleet's view: it is asked in memory, and cannot fail, so that no change is
/// reported as failed after it was made.
async fn placed(admin: &Admin) -> HashMap<ContainerGroupId, u32> {
    admin.refresh_fleet().await;
    admin.fleet.placed_by_group()
}

fn container_group(group: &GroupRecord, placed: &HashMap<ContainerGroupId, u32>) -> ContainerGroup {
    ContainerGroup {
        id: group.id,
        name: group.name.clone(),
        definition: group.definition.clone(),
        placed: placed.get(&group.id).copied().unwrap_or(0),
    }
}
