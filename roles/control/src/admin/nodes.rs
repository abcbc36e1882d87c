// SPDX-License-Identifier: Apache-2.0
//! Nodes.

use std::collections::HashMap;

use axum::extract::State;
use cress_api::admin::{List, Node, NodeState};
use cress_domain::MachineId;
use cress_service::problem::{Json, Path};
use cress_store::control::{NodeRecord, NodeState as StoredState};
use http::StatusCode;

use super::error::AdminError;
use super::state::Admin;

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<Node>>, AdminError> {
    let nodes = admin.store.nodes().await?;
    let mut instances: HashMap<MachineId, u32> = HashMap::new();
    for instance in admin.store.snapshot().await?.instances {
        *instances.entry(instance.machine_id).or_insert(0) += 1;
    }
    let instances_on = |machine| instances.get(&machine).copied().unwrap_or(0);
    let items = nodes.into_iter().map(|record| {
        let machine = record.machine_id;
        node(record, instances_on(machine), admin.fleet.is_connected(machine))
    });
    Ok(Json(List { items: items.collect() }))
}

pub(super) async fn ban(State(admin): State<Admin>, Path(machine): Path<MachineId>) -> Result<StatusCode, AdminError> {
    admin.store.ban_node(machine, admin.clock.now()).await?;
    admin.waker.wake();
    tracing::warn!(%machine, "node banned");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(admin): State<Admin>,
    Path(machine): Path<MachineId>,
) -> Result<StatusCode, AdminError> {
    admin.store.remove_node(machine, admin.clock.now()).await?;
    admin.waker.wake();
    tracing::info!(%machine, "node removed");
    Ok(StatusCode::NO_CONTENT)
}

fn node(record: NodeRecord, instances: u32, connected: bool) -> Node {
    Node {
        machine_id: record.machine_id,
        name: record.name,
        state: match record.state {
            StoredState::Active => NodeState::Active,
            StoredState::Banned => NodeState::Banned,
        },
        connected,
        capacity: record.capacity,
        instances,
        enrolled_at: record.enrolled_at.rfc3339(),
        certificate_not_after: record.certificate_not_after.rfc3339(),
    }
}
