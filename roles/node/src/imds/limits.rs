// SPDX-License-Identifier: Apache-2.0
//! Every limit of the metadata service. Each instance has all of them to itself: what one instance exhausts, no other
//! instance misses.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a request's head, request line included. Also the size of a connection's only read buffer.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Bytes of a request's target: path and query.
pub const TARGET_BYTES_MAX: usize = 2 * 1024;
/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a connection's socket buffers, each way, before the kernel's doubling. Without it the kernel would let each
/// caller that never reads grow them to megabytes.
pub const SOCKET_BUFFER_BYTES: usize = 32 * 1024;
/// Connections that the kernel completes before they are accepted.
pub const BACKLOG: i32 = 1_024;
/// Refused connections that are kept for a moment so that the caller can read why; beyond it they are just closed.
pub const REFUSED_CONNECTIONS_MAX: usize = 64;
/// How long a connection that the service closes waits for the caller to close its side. A close with unread bytes resets
/// the connection, and the caller would lose the answer.
pub const LINGER_MAX: Duration = Duration::from_secs(1);
/// Bytes read and thrown away meanwhile.
pub const LINGER_BYTES_MAX: usize = 256 * 1024;
/// How long a request beyond the rate is held before it is told so, which slows a caller that does not listen.
pub const RATE_REFUSAL_DELAY: Duration = Duration::from_millis(100);

/// The limits that an operator may set, for each instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections; further ones are answered 503 and closed. 512 by default: some 12 MiB at most, all half-sent.
    pub connections_max: NonZeroU32,
    /// New connections a second, after a burst of `connections_max`; further ones wait in the kernel. 1,000 by default.
    pub connections_per_second_max: NonZeroU32,
    /// Requests a second, kept up; further ones are answered 429. 4,000 by default.
    pub requests_per_second_max: NonZeroU32,
    /// Requests at once, after a quiet while. 8,000 by default.
    pub requests_burst_max: NonZeroU32,
    /// Milliseconds from the first byte of a request's head to its last. 5,000 by default.
    pub head_milliseconds_max: NonZeroU32,
    /// Milliseconds from the end of a request's head to the end of its body. 5,000 by default.
    pub body_milliseconds_max: NonZeroU32,
    /// Milliseconds until a caller must have taken its answer. 10,000 by default.
    pub write_milliseconds_max: NonZeroU32,
    /// Milliseconds that a connection may stay open without a request. 60,000 by default.
    pub idle_milliseconds_max: NonZeroU32,
    /// Milliseconds that a request may wait for a token that is being fetched, or for the agent to act. 3,000 by default.
    pub wait_milliseconds_max: NonZeroU32,
    /// Milliseconds that open requests get when the instance ends. 1,000 by default.
    pub drain_milliseconds_max: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            connections_max: number(512),
            connections_per_second_max: number(1_000),
            requests_per_second_max: number(4_000),
            requests_burst_max: number(8_000),
            head_milliseconds_max: number(5_000),
            body_milliseconds_max: number(5_000),
            write_milliseconds_max: number(10_000),
            idle_milliseconds_max: number(60_000),
            wait_milliseconds_max: number(3_000),
            drain_milliseconds_max: number(1_000),
        }
    }
}

impl Limits {
    pub(super) fn connections_max(&self) -> usize {
        usize::try_from(self.connections_max.get()).unwrap_or(usize::MAX)
    }

    pub(super) fn head_time(&self) -> Duration {
        milliseconds(self.head_milliseconds_max)
    }

    pub(super) fn body_time(&self) -> Duration {
        milliseconds(self.body_milliseconds_max)
    }

    pub(super) fn write_time(&self) -> Duration {
        milliseconds(self.write_milliseconds_max)
    }

    pub(super) fn idle_time(&self) -> Duration {
        milliseconds(self.idle_milliseconds_max)
    }

    pub(super) fn wait_time(&self) -> Duration {
        milliseconds(self.wait_milliseconds_max)
    }

    pub(super) fn drain_time(&self) -> Duration {
        milliseconds(self.drain_milliseconds_max)
    }

    /// A backstop: each step of serving a request has its own limit, and this is their sum.
    pub(super) fn serving_time(&self) -> Duration {
        self.body_time() + self.wait_time() + RATE_REFUSAL_DELAY + self.write_time()
    }
}

fn milliseconds(number: NonZeroU32) -> Duration {
    Duration::from_millis(u64::from(number.get()))
}
