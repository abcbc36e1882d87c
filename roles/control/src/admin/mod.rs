// SPDX-License-Identifier: Apache-2.0
//! The admin API: HTTP and JSON on a Unix socket, as [`cress_api::admin`] describes it.
//!
//! Whoever may open the socket may do everything here; the socket's mode (0600) is the only authentication. Every write wakes
//! placement and the fleet's view. A join token's secret is shown once and stored as a hash; nothing else here is secret.

mod authorities;
mod definition;
mod error;
mod groups;
mod instances;
mod join_tokens;
mod key_encryption;
mod keys;
mod nodes;
mod organization_names;
mod state;
mod tenants;
mod token_shape;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use cress_api::admin::paths;
use cress_domain::fault;
use cress_service::Shutdown;
use cress_service::listen::{Limits, Listener, Server};
use cress_service::middleware::{with_request_ids, with_security_headers};
use cress_service::problem::with_problems;
use http::Method;

use crate::metrics::StorePart;
use error::StoreFailed;

pub(crate) use state::{Admin, AdminParts};
pub(crate) use token_shape::{TokenShape, TokensTooLong};

/// The largest body: a container group's definition with its name, and some room for white space.
const BODY_BYTES_MAX: u32 = 256 * 1024;
/// Open connections: each command of an operator makes one.
const CONNECTIONS_MAX: u32 = 64;

/// Serves the admin API until `shutdown` asks to stop.
pub(crate) async fn serve(listener: Listener, admin: Admin, shutdown: Shutdown) {
    let limits = Limits { body_bytes_max: BODY_BYTES_MAX, connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let random = admin.random();
    let router = with_security_headers(with_request_ids(router(admin), random));
    Server::new(listener).limits(limits).serve(router, &shutdown).await;
}

fn router(admin: Admin) -> Router {
    let routes = Router::new()
        .route(paths::ORGANIZATIONS, get(tenants::organizations).post(tenants::create_organization))
        .route(paths::ORGANIZATION, delete(tenants::delete_organization))
        .route(paths::PROJECTS, get(tenants::projects).post(tenants::create_project))
        .route(paths::PROJECT, delete(tenants::delete_project))
        .route(paths::CONTAINER_GROUPS, get(groups::list).post(groups::create))
        .route(paths::CONTAINER_GROUP, get(groups::one).put(groups::replace).delete(groups::delete))
        .route(paths::REPLICAS, put(groups::scale))
        .route(paths::INSTANCES, get(instances::list))
        .route(paths::INSTANCES_ENDED, get(instances::ended))
        .route(paths::NODES, get(nodes::list))
        .route(paths::NODE, delete(nodes::remove))
        .route(paths::NODE_BAN, post(nodes::ban))
        .route(paths::JOIN_TOKENS, get(join_tokens::list).post(join_tokens::create))
        .route(paths::JOIN_TOKEN, delete(join_tokens::revoke))
        .route(paths::KEYS, get(keys::list))
        .route(paths::KEYS_ROTATE, post(keys::rotate))
        .route(paths::KEYS_REVOKE, post(keys::revoke))
        .route(paths::KEY_ENCRYPTION_KEYS, get(key_encryption::list))
        .route(paths::KEY_ENCRYPTION_KEYS_RELOAD, post(key_encryption::reload))
        .route(paths::KEY_ENCRYPTION_KEYS_ROTATE, post(key_encryption::rotate))
        .route(paths::AUTHORITIES, get(authorities::list))
        .route(paths::AUTHORITIES_ROTATE, post(authorities::rotate))
        .route(paths::AUTHORITY, delete(authorities::retire));
    with_problems(routes).layer(from_fn_with_state(admin.clone(), count_failures)).with_state(admin)
}

/// Counts the failures of the store, which the answers alone know of.
async fn count_failures(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let writes = request.method() != Method::GET;
    let response = next.run(request).await;
    if writes {
        fault::point("before an answer of the admin API");
    }
    if response.extensions().get::<StoreFailed>().is_some() {
        admin.counters.store_failed(StorePart::admin);
    }
    response
}
