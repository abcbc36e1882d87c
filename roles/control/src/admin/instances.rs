// SPDX-License-Identifier: Apache-2.0
//! The fleet's live instances, with what their nodes say of them.

use std::collections::HashMap;

use axum::extract::State;
use cress_api::admin::{EndedInstance, Instance, List};
use cress_domain::ContainerGroupId;
use cress_service::problem::Json;
use cress_store::control::{GroupRecord, InstanceRecord};

use super::error::AdminError;
use super::state::Admin;
use crate::fleet::FleetView;

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<Instance>>, AdminError> {
    let snapshot = admin.store.snapshot().await?;
    let groups: HashMap<ContainerGroupId, &GroupRecord> =
        snapshot.groups.iter().map(|group| (group.id, group.as_ref())).collect();
    let known = snapshot.instances.iter().filter_map(|one| Some((*groups.get(&one.container_group_id)?, one)));
    let mut items: Vec<Instance> = known.map(|(group, record)| instance(group, record, &admin.fleet)).collect();
    // By name, and within a group in the order in which they were placed: the times are of one length.
    items.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(Json(List { items }))
}

pub(super) async fn ended(State(admin): State<Admin>) -> Result<Json<List<EndedInstance>>, AdminError> {
    let ended = admin.store.ended_instances().await?.into_iter().map(|record| EndedInstance {
        id: record.id,
        machine_id: record.machine_id,
        ended_at: record.ended_at.rfc3339(),
    });
    Ok(Json(List { items: ended.collect() }))
}

fn order(instance: &Instance) -> impl Ord + '_ {
    let Instance { organization, project, container_group, placed_at, id, .. } = instance;
    (organization, project, container_group, placed_at, id)
}

fn instance(group: &GroupRecord, record: &InstanceRecord, fleet: &FleetView) -> Instance {
    let report = fleet.report(record.machine_id, record.id);
    let report = report.as_ref();
    Instance {
        id: record.id,
        machine_id: record.machine_id,
        organization: group.organization_name.clone(),
        project: group.project_name.clone(),
        container_group: group.name.clone(),
        container_group_id: group.id,
        state: report.and_then(|report| report.state),
        started: report.map(|report| report.started),
        ready: report.map(|report| report.ready),
        restarts: report.map(|report| report.restarts),
        deletion_cost: record.deletion_cost,
        placed_at: record.placed_at.rfc3339(),
        detail: report.and_then(|report| report.detail.as_deref().map(str::to_owned)),
    }
}
