// SPDX-License-Identifier: Apache-2.0
//! Time that only runs forward, for deadlines of real processes. The supervisor has no async runtime to ask.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since some moment before the machine's first process.
pub(crate) fn now() -> Duration {
    // Linux has had this clock since 2.6; without it deadlines pass at once, which ends instances rather than keeps them.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::MAX, Duration::from)
}
