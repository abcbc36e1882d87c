// SPDX-License-Identifier: Apache-2.0
//! `/verify` over HTTP, without a router: it is asked for every request of every client.

mod answer;
mod log;
mod service;

use cress_service::Shutdown;
use cress_service::listen::Server;

pub(crate) use service::Service;

/// Serves until `shutdown` asks to stop.
pub(crate) async fn serve(server: Server, service: Service, shutdown: &Shutdown) {
    server.serve_with(|_peer| service.clone(), shutdown).await;
}
