// SPDX-License-Identifier: Apache-2.0
//! The API for workloads, over bare hyper: each request is one look at its path, one at its token, and what it asks for. No token is taken
//! from anywhere but the one `Authorization` header, or the form of the token exchange.

mod answer;
mod body;
mod credentials;
mod documents;
mod health;
mod leases;
mod openapi;
mod route;
mod service;

pub(crate) use answer::{Answer, json, with_retry_after};
pub(crate) use body::{is_of_type, read as read_body};
pub(crate) use documents::Documents;
pub use openapi::openapi;
pub(crate) use service::Service;

use cress_service::Shutdown;
use cress_service::listen::{Peer, PeerAddress, Server};

/// Serves until `shutdown` asks to stop, and every request at hand is answered.
pub(crate) async fn serve(server: Server, service: Service, shutdown: &Shutdown) {
    let of_peer = |peer: &Peer| match peer.address {
        PeerAddress::Tcp(address) => service.of(Some(address.ip())),
        PeerAddress::Unix(_) => service.of(None),
    };
    server.serve_with(of_peer, shutdown).await;
}
