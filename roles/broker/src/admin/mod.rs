// SPDX-License-Identifier: Apache-2.0
//! The operator's API: HTTP and JSON on a Unix socket, as [`cress_api::broker::operator_paths`] has it.
//!
//! Whoever may open the socket may do everything here; the socket's mode (0600) is the only authentication. Nothing here is secret, and
//! everything that is done is recorded.

mod error;
mod instances;
mod leases;
mod secrets;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use cress_api::broker::operator_paths as paths;
use cress_domain::Random;
use cress_service::Shutdown;
use cress_service::listen::{Limits, Listener, Server};
use cress_service::middleware::{with_request_ids, with_security_headers};
use cress_service::problem::with_problems;

use crate::broker::Broker;

/// The largest body: the ids of many instances that ended at once.
const BODY_BYTES_MAX: u32 = 1024 * 1024;
/// Open connections: each command of an operator makes one.
const CONNECTIONS_MAX: u32 = 64;

/// Serves the operator's API until `shutdown` asks to stop.
pub(crate) async fn serve(listener: Listener, broker: Arc<Broker>, random: Arc<dyn Random>, shutdown: Shutdown) {
    let limits = Limits { body_bytes_max: BODY_BYTES_MAX, connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let router = with_security_headers(with_request_ids(router(broker), random));
    Server::new(listener).limits(limits).serve(router, &shutdown).await;
}

fn router(broker: Arc<Broker>) -> Router {
    let routes = Router::new()
        .route(paths::LEASES, get(leases::list))
        .route(paths::REVOKE, post(leases::revoke))
        .route(paths::LEASE, get(leases::show))
        .route(paths::STUCK, get(leases::stuck))
        .route(paths::RELEASE, post(leases::release))
        .route(paths::INSTANCES_ENDED, post(instances::ended))
        .route(paths::SECRETS, get(secrets::list).post(secrets::put))
        .route(paths::SECRETS_ACTIVATE, post(secrets::activate))
        .route(paths::SECRETS_RETIRE, post(secrets::retire));
    with_problems(routes).with_state(broker)
}
