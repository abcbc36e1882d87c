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

/// Largest message either side accepts: a snapshot of every instance that one node may run, or a full batch of tokens.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
