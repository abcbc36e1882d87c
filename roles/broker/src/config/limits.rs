// SPDX-License-Identifier: Apache-2.0
//! What an operator may set of the limits: of the listener, and of how often one workload may ask.

use std::ops::RangeInclusive;

use cress_service::listen;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::in_range;

/// The largest body: parameters of a credential, or a form with a token.
const BODY_BYTES_DEFAULT: u32 = 65_536;

const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
const SECONDS: RangeInclusive<u32> = 1..=3_600;
const HEAD_BYTES: RangeInclusive<u32> = 16_384..=1_048_576;
const BODY_BYTES: RangeInclusive<u32> = 16_384..=1_048_576;
const REQUESTS: RangeInclusive<u32> = 1..=1_000_000;

/// Limits of the listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many connections are open at once: 1 to 1,000,000; 4,096 by default. More wait in the operating system's queue.
    pub connections_max: u32,
    /// How long a connection may lie idle between requests, in seconds: 1 to 3,600; 75 by default.
    pub idle_timeout_seconds: u32,
    /// The size of a request's line and headers, in bytes: 16,384 to 1,048,576; 16,384 by default.
    pub head_bytes_max: u32,
    /// The size of a request's body, in bytes: 16,384 to 1,048,576; 65,536 by default.
    pub body_bytes_max: u32,
}

/// How often a workload may ask for something. Whoever asks more often is told when to come again (429, Retry-After).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Requests of one instance in a second, on average: 1 to 1,000,000; 20 by default.
    pub instance_per_second: u32,
    /// Requests of one instance at once: 1 to 1,000,000; 100 by default.
    pub instance_burst: u32,
    /// Requests of all instances of one container group in a second, on average: 1 to 1,000,000; 500 by default.
    pub group_per_second: u32,
    /// Requests of all instances of one container group at once: 1 to 1,000,000; 2,000 by default.
    pub group_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = listen::Limits::default();
        Self {
            connections_max: limits.connections_max,
            idle_timeout_seconds: limits.idle_timeout_seconds,
            head_bytes_max: limits.head_bytes_max,
            body_bytes_max: BODY_BYTES_DEFAULT,
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self { instance_per_second: 20, instance_burst: 100, group_per_second: 500, group_burst: 2_000 }
    }
}

impl Limits {
    /// The same, as the listener takes them.
    pub(crate) fn of_listener(&self) -> listen::Limits {
        listen::Limits {
            connections_max: self.connections_max,
            idle_timeout_seconds: self.idle_timeout_seconds,
            head_bytes_max: self.head_bytes_max,
            body_bytes_max: self.body_bytes_max,
            ..listen::Limits::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("limits.connections_max", CONNECTIONS, self.connections_max)?;
        in_range("limits.idle_timeout_seconds", SECONDS, self.idle_timeout_seconds)?;
        in_range("limits.head_bytes_max", HEAD_BYTES, self.head_bytes_max)?;
        in_range("limits.body_bytes_max", BODY_BYTES, self.body_bytes_max)
    }
}

impl Rates {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("rates.instance_per_second", REQUESTS, self.instance_per_second)?;
        in_range("rates.instance_burst", REQUESTS, self.instance_burst)?;
        in_range("rates.group_per_second", REQUESTS, self.group_per_second)?;
        in_range("rates.group_burst", REQUESTS, self.group_burst)
    }
}
