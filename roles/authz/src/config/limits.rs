// SPDX-License-Identifier: Apache-2.0
//! What an operator may set of the limits of the listener.

use std::ops::RangeInclusive;

use cress_service::listen;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::in_range;

/// Proxies pass their clients' heads on, so it takes what they take: nginx and Traefik up to this by default.
const HEAD_BYTES_DEFAULT: u32 = 65_536;
/// The largest body in which a token is looked for.
const BODY_BYTES_DEFAULT: u32 = 65_536;

const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
const SECONDS: RangeInclusive<u32> = 1..=3_600;
const HEAD_BYTES: RangeInclusive<u32> = 8_192..=1_048_576;
const HEADERS: RangeInclusive<u32> = 1..=1_000;
const BODY_BYTES: RangeInclusive<u32> = 0..=1_048_576;

/// Limits of the listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many connections are open at once: 1 to 1,000,000; 4,096 by default. More wait in the operating system's queue.
    pub connections_max: u32,
    /// How long a connection may lie idle between requests, in seconds: 1 to 3,600; 75 by default.
    pub idle_timeout_seconds: u32,
    /// The size of a request's line and headers, in bytes: 8,192 to 1,048,576; 65,536 by default.
    pub head_bytes_max: u32,
    /// The number of a request's headers: 1 to 1,000; 100 by default.
    pub headers_max: u16,
    /// The size of a request's body, in bytes: 0 to 1,048,576; 65,536 by default. Bodies are read for `token.body_field` alone.
    pub body_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = listen::Limits::default();
        Self {
            connections_max: limits.connections_max,
            idle_timeout_seconds: limits.idle_timeout_seconds,
            head_bytes_max: HEAD_BYTES_DEFAULT,
            headers_max: limits.headers_max,
            body_bytes_max: BODY_BYTES_DEFAULT,
        }
    }
}

impl Limits {
    /// The same, as the listener takes them.
    pub(crate) fn of_listener(&self) -> listen::Limits {
        listen::Limits {
            connections_max: self.connections_max,
            idle_timeout_seconds: self.idle_timeout_seconds,
            head_bytes_max: self.head_bytes_max,
            headers_max: self.headers_max,
            body_bytes_max: self.body_bytes_max,
            ..listen::Limits::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("limits.connections_max", CONNECTIONS, self.connections_max)?;
        in_range("limits.idle_timeout_seconds", SECONDS, self.idle_timeout_seconds)?;
        in_range("limits.head_bytes_max", HEAD_BYTES, self.head_bytes_max)?;
        in_range("limits.headers_max", HEADERS, self.headers_max.into())?;
        in_range("limits.body_bytes_max", BODY_BYTES, self.body_bytes_max)
    }
}
