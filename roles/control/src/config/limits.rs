// SPDX-License-Identifier: Apache-2.0
//! What an operator may set of the limits of each listener: only what has an effect there.

use std::ops::RangeInclusive;

use cress_service::listen;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::in_range;

/// The largest body that the public API reads before it refuses it; nothing there takes one.
const PUBLIC_BODY_BYTES_MAX: u32 = 1_024;

const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
const SECONDS: RangeInclusive<u32> = 1..=3_600;
const HEAD_BYTES: RangeInclusive<u32> = 8_192..=1_048_576;
const HEADERS: RangeInclusive<u32> = 1..=1_000;

/// Limits of the public API. No request to it needs a body, and one of more than 1,024 bytes is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PublicLimits {
    /// How many connections are open at once: 1 to 1,000,000; 4,096 by default. More wait in the operating system's queue.
    pub connections_max: u32,
    /// How long a TLS handshake may take, in seconds: 1 to 3,600; 5 by default.
    pub handshake_timeout_seconds: u32,
    /// How long a request's head may take from its first byte to its last, in seconds: 1 to 3,600; 10 by default.
    pub head_timeout_seconds: u32,
    /// How long a connection may lie idle before and between requests, in seconds: 1 to 3,600; 75 by default.
    pub idle_timeout_seconds: u32,
    /// How long a client may leave an answer unread, in seconds: 1 to 3,600; 30 by default.
    pub write_stall_seconds: u32,
    /// The size of a request's line and headers, in bytes: 8,192 to 1,048,576; 16,384 by default.
    pub head_bytes_max: u32,
    /// The number of a request's headers: 1 to 1,000; 100 by default.
    pub headers_max: u16,
}

/// Limits of the node protocol. Those of HTTP/2 and of messages are fixed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeApiLimits {
    /// How many connections are open at once, of which each node holds one: 1 to 1,000,000; 4,096 by default. More wait in the
    /// operating system's queue.
    pub connections_max: u32,
    /// How long a TLS handshake may take, in seconds: 1 to 3,600; 5 by default.
    pub handshake_timeout_seconds: u32,
}

impl Default for PublicLimits {
    fn default() -> Self {
        let limits = listen::Limits::default();
        Self {
            connections_max: limits.connections_max,
            handshake_timeout_seconds: limits.handshake_timeout_seconds,
            head_timeout_seconds: limits.head_timeout_seconds,
            idle_timeout_seconds: limits.idle_timeout_seconds,
            write_stall_seconds: limits.write_stall_seconds,
            head_bytes_max: limits.head_bytes_max,
            headers_max: limits.headers_max,
        }
    }
}

impl Default for NodeApiLimits {
    fn default() -> Self {
        let limits = listen::Limits::default();
        Self { connections_max: limits.connections_max, handshake_timeout_seconds: limits.handshake_timeout_seconds }
    }
}

impl PublicLimits {
    /// The same, as the listener takes them.
    pub(crate) fn of_listener(&self) -> listen::Limits {
        listen::Limits {
            connections_max: self.connections_max,
            handshake_timeout_seconds: self.handshake_timeout_seconds,
            head_timeout_seconds: self.head_timeout_seconds,
            idle_timeout_seconds: self.idle_timeout_seconds,
            write_stall_seconds: self.write_stall_seconds,
            head_bytes_max: self.head_bytes_max,
            headers_max: self.headers_max,
            body_bytes_max: PUBLIC_BODY_BYTES_MAX,
            ..listen::Limits::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("limits.connections_max", CONNECTIONS, self.connections_max)?;
        in_range("limits.handshake_timeout_seconds", SECONDS, self.handshake_timeout_seconds)?;
        in_range("limits.head_timeout_seconds", SECONDS, self.head_timeout_seconds)?;
        in_range("limits.idle_timeout_seconds", SECONDS, self.idle_timeout_seconds)?;
        in_range("limits.write_stall_seconds", SECONDS, self.write_stall_seconds)?;
        in_range("limits.head_bytes_max", HEAD_BYTES, self.head_bytes_max)?;
        in_range("limits.headers_max", HEADERS, self.headers_max.into())
    }
}

impl NodeApiLimits {
    /// The same, as the listener takes them.
    pub(crate) fn of_listener(&self) -> listen::Limits {
        listen::Limits {
            connections_max: self.connections_max,
            handshake_timeout_seconds: self.handshake_timeout_seconds,
            ..listen::Limits::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("node_api.limits.connections_max", CONNECTIONS, self.connections_max)?;
        in_range("node_api.limits.handshake_timeout_seconds", SECONDS, self.handshake_timeout_seconds)
    }
}
