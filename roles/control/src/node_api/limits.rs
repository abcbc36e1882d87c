// SPDX-License-Identifier: Apache-2.0
//! What one node may ask of control before it is refused.

use std::time::Duration;

use cress_api::node_protocol::MESSAGE_BYTES_MAX;

/// Instances that a node may announce.
pub(crate) const NODE_CAPACITY_MAX: u32 = 10_000;
/// Instances in one report.
pub(super) const REPORTS_MAX: usize = NODE_CAPACITY_MAX as usize;
/// How long the first message of a stream may take.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// When a heartbeat is sent if nothing else was.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long control signs after it last reached its store.
pub(crate) const FLEET_STALE_AFTER: Duration = Duration::from_secs(30);
/// The largest message of a node: much smaller than what control sends.
pub(super) const REQUEST_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;
/// The largest message of someone who has not yet proved anything.
pub(super) const ENROLMENT_BYTES_MAX: usize = 32 << 10;
/// Messages that wait for the network in one stream.
pub(super) const UPDATES_WAITING_MAX: usize = 4;
/// How long a batch waits while others of the same node are signed.
pub(super) const BATCH_TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Tokens that are signed before others get their turn on the same thread.
pub(super) const ISSUE_CHUNK: usize = 50;

/// Connections without the certificate of a member at once; fewer where few connections are allowed in all.
pub(super) const STRANGERS_MAX: u32 = 256;
/// Connections at once with certificates for one node's key: one, and what is left of others that broke.
pub(super) const CONNECTIONS_PER_KEY_MAX: usize = 6;
/// Calls at once on one connection: a stream, a few batches, a renewal.
pub(super) const CALLS_PER_CONNECTION_MAX: u32 = 32;
/// How long a call other than the stream may take, its request's body included.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// When a silent connection is probed.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long the answer to the probe may take.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The size of a call's headers.
pub(super) const HEADER_BYTES_MAX: u32 = 8 << 10;
