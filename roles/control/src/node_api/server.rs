// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 and gRPC on the node protocol's listener, within limits.

use std::sync::Arc;

use cress_api::node_protocol::MESSAGE_BYTES_MAX;
use cress_api::node_protocol::enrolment_server::EnrolmentServer;
use cress_api::node_protocol::fleet_server::FleetServer;
use cress_domain::Clock;
use cress_service::Shutdown;
use cress_service::listen::{Limits, Listener, Server};
use cress_service::tls::{ClientCertificates, Identity, Protocol, Roots, ServerTls, TlsError};
use rustls::ServerConfig;

use super::admission::Admission;
use super::fleet_service::FleetService;
use super::limits::{
    CALL_TIMEOUT, CALLS_PER_CONNECTION_MAX, ENROLMENT_BYTES_MAX, HEADER_BYTES_MAX, KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT, REQUEST_BYTES_MAX, STRANGERS_MAX,
};
use super::strangers::guarded;
use crate::enrolment::EnrolmentService;

/// TLS in which a client may show a certificate: one that enrols has none yet. Every other call is read only once there is a good one.
pub(super) fn tls(identity: Identity, roots: Roots, clock: Arc<dyn Clock>) -> Result<Arc<ServerConfig>, TlsError> {
    ServerTls { identity, clients: ClientCertificates::Optional(roots), protocol: Protocol::Http2, clock }.config()
}

/// Serves until `shutdown` asks to stop, and then until the calls at hand are answered or the drain deadline has passed.
pub(super) async fn serve(
    (listener, tls, limits): (Listener, Arc<ServerConfig>, Limits),
    (fleet, enrolment): (FleetService, EnrolmentService),
    shutdown: Shutdown,
) {
    let doorkeeper = fleet.doorkeeper.clone();
    let fleet = FleetServer::new(fleet)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let fleet = Admission::new(fleet, doorkeeper.clone());
    let enrolment = EnrolmentServer::new(enrolment).max_decoding_message_size(ENROLMENT_BYTES_MAX);
    let strangers_max = STRANGERS_MAX.min(limits.connections_max / 4).max(1);
    let incoming = Server::new(listener).tls(Some(tls)).limits(limits).incoming(&shutdown);
    let incoming = guarded(incoming, doorkeeper, strangers_max);
    let server = tonic::transport::Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .add_service(fleet)
        .add_service(enrolment)
        .serve_with_incoming_shutdown(incoming, shutdown.requested());
    match shutdown.run_until_expired(server).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::error!(%error, "the node protocol's server ended"),
        None => tracing::warn!("cutting connections of nodes that did not end in time"),
    }
}
