// SPDX-License-Identifier: Apache-2.0
//! The node protocol, generated from `proto/cress/node/v1/node.proto`.

#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated; the description documents each message"
)]
mod generated {
    tonic::include_proto!("cress.node.v1");
}

pub use generated::*;

use cress_domain::MachineId;

/// What a node's certificate calls it by, followed by its machine id: a URI among the subject alternative names.
pub const NODE_URN_PREFIX: &str = "urn:cress:node:";

/// What a node signs to recover its membership: bound to the TLS connection over which it is sent, so that nobody who sees it can use it.
#[must_use]
pub fn recovery_statement(channel_binding: &[u8; 32], machine: MachineId) -> Vec<u8> {
    [RECOVERY_CONTEXT, channel_binding, machine.as_bytes()].concat()
}

/// Keeps the signature from meaning anything in another protocol.
const RECOVERY_CONTEXT: &[u8] = b"cress node recovery v1\0";

/// Largest message either side accepts: more than a full batch of tokens, or a piece of a snapshot.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
