// SPDX-License-Identifier: Apache-2.0
//! Instances that are no more: their leases go at once, rather than at their end.

use std::sync::Arc;

use axum::extract::State;
use cress_api::broker::{EndedInstances, RevokedLeases};
use cress_service::problem::Json;

use super::error::AdminError;
use crate::audit::What;
use crate::broker::Broker;
use crate::lease::Selection;

/// Instances in one request.
const INSTANCES_MAX: usize = 10_000;

pub(super) async fn ended(
    State(broker): State<Arc<Broker>>,
    Json(ended): Json<EndedInstances>,
) -> Result<Json<RevokedLeases>, AdminError> {
    if ended.instances.len() > INSTANCES_MAX {
        return Err(AdminError::bad_request(format!("expected at most {INSTANCES_MAX} instances")));
    }
    let mut leases: u64 = 0;
    for instance_id in ended.instances {
        let name = format!("instance {instance_id} has ended");
        let selection = Selection::Instance { issuer: Some(ended.issuer.clone()), instance_id };
        let count = broker.parts.leases.revoke(&selection).await?;
        leases = leases.saturating_add(count);
        if count > 0 {
            broker.note_operator(What { name: Some(name), count: Some(count), ..What::default() });
        }
    }
    Ok(Json(RevokedLeases { leases }))
}
