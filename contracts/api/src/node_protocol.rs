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

/// What a node's certificate calls it by, followed by its machine id: a URI among the subject alternative names.
pub const NODE_URN_PREFIX: &str = "urn:cress:node:";

/// Largest message either side accepts: more than a full batch of tokens, or a piece of a snapshot.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
