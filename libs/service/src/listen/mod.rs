// SPDX-License-Identifier: Apache-2.0
//! Listeners, and how connections are accepted and served within limits until the process stops.

mod bind;
mod body;
mod connection;
mod guarded_io;
mod handshakes;
mod http1;
mod incoming;
mod limits;
mod progress;
mod refusal;
mod server;

pub use bind::{Address, ListenError, Listener};
pub use body::{BodyError, RequestBody};
pub use connection::{Connection, Peer, PeerAddress, UnixPeer};
pub use incoming::Incoming;
pub use limits::Limits;
pub use server::Server;

#[cfg(test)]
mod tests;
