// SPDX-License-Identifier: Apache-2.0
//! The node protocol's server: gRPC over mutual TLS, with the fleet's view, the certificate authority and enrolment behind it.
//!
//! Nodes are strangers until proved: what they send is bounded and parsed before it is used, and nothing that they say of themselves
//! decides what they may do.

mod admission;
mod caller;
mod costs;
mod downward;
mod fleet_service;
mod limits;
mod node_side;
mod refusal;
mod server;
mod strangers;
mod upward;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use caller::Doorkeeper;
pub(crate) use limits::{FLEET_STALE_AFTER, HEARTBEAT};
pub(crate) use node_side::{NodeSide, NodeSideError, NodeSideParts, NodeSideSettings};
pub(crate) use refusal::{denied, internal, invalid, store_failed, too_much, unauthenticated};
pub(crate) use upward::check_capacity;
