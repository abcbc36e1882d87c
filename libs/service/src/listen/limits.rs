// SPDX-License-Identifier: Apache-2.0
//! What one listener takes from its clients before it refuses.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The smallest buffer that hyper works with, and so the smallest limit on a request's head.
const HEAD_BYTES_MIN: u32 = 8 * 1024;

/// The library's own default, for which it needs no allocation.
pub(super) const HEADERS_DEFAULT: u16 = 100;

/// The limits of one listener. Every default suits a public API with small JSON bodies. As configuration, each key has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many connections are open at once, at least 1; more wait in the operating system's queue. With TLS, the handshakes of at
    /// most a quarter of them may be unfinished.
    #[schemars(range(min = 1))]
    pub connections_max: u32,
    /// How long a TLS handshake may take, in seconds.
    pub handshake_timeout_seconds: u32,
    /// How long a request's head may take from its first byte to its last, in seconds; 408 then.
    pub head_timeout_seconds: u32,
    /// How long a request's body may take, in seconds; 408 then.
    pub body_timeout_seconds: u32,
    /// How long a connection may lie idle before and between requests, in seconds.
    pub idle_timeout_seconds: u32,
    /// How long a client may leave an answer unread, in seconds.
    pub write_stall_seconds: u32,
    /// The size of a request's line and headers, in bytes, at least 8192; 431 above.
    #[schemars(range(min = 8192))]
    pub head_bytes_max: u32,
    /// The number of a request's headers; 431 above.
    #[schemars(range(min = 1, max = 1000))]
    pub headers_max: u16,
    /// The size of a request's body, in bytes; 413 above.
    pub body_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            handshake_timeout_seconds: 5,
            head_timeout_seconds: 10,
            body_timeout_seconds: 30,
            idle_timeout_seconds: 75,
            write_stall_seconds: 30,
            head_bytes_max: 16 * 1024,
            headers_max: HEADERS_DEFAULT,
            body_bytes_max: 1024 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn handshake_timeout(&self) -> Duration {
        seconds(self.handshake_timeout_seconds)
    }

    pub(super) fn head_timeout(&self) -> Duration {
        seconds(self.head_timeout_seconds)
    }

    pub(super) fn body_timeout(&self) -> Duration {
        seconds(self.body_timeout_seconds)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        seconds(self.idle_timeout_seconds)
    }

    pub(super) fn write_stall(&self) -> Duration {
        seconds(self.write_stall_seconds)
    }

    pub(super) fn head_bytes_max(&self) -> usize {
        usize::try_from(self.head_bytes_max.max(HEAD_BYTES_MIN)).unwrap_or(usize::MAX)
    }

    pub(super) fn body_bytes_max(&self) -> usize {
        usize::try_from(self.body_bytes_max).unwrap_or(usize::MAX)
    }

    pub(super) fn connections_max(&self) -> usize {
        usize::try_from(self.connections_max.max(1)).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS)
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
