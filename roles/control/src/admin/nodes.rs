// SPDX-License-Identifier: Apache-2.0
//! Nodes.

use axum::extract::State;
use cress_api::admin::{List, Node, NodeState};
use cress_domain::MachineId;
use cress_service::problem::{Json, Path};
use cress_store::control::{NodeRecord, NodeState as StoredState};
use http::StatusCode;

use super::error::AdminError;
use super::organization_names::Names;
use super::state::Admin;
use crate::fleet::FleetView;

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<Node>>, AdminError> {
    let nodes = admin.store.nodes().await?;
    let names = Names::load(&admin.store).await?;
    admin.refresh_fleet().await;
    let items = nodes.into_iter().map(|record| node(record, &names, &admin.fleet));
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

fn node(record: NodeRecord, names: &Names, fleet: &FleetView) -> Node {
    let machine = record.machine_id;
    Node {
        machine_id: record.machine_id,
        name: record.name,
        state: match record.state {
            StoredState::Active => NodeState::Active,
            StoredState::Banned => NodeState::Banned,
        },
        connected: fleet.is_connected(machine),
        capacity: record.capacity,
        instances: fleet.placed_on(machine),
        capacity_max: record.capacity_max,
        organizations: names.of(record.organizations.as_ref()),
        enrolled_at: record.enrolled_at.rfc3339(),
        certificate_not_after: record.certificate_not_after.rfc3339(),
        duplicated_at: record.duplicated_at.map(|time| time.rfc3339()),
    }
}
