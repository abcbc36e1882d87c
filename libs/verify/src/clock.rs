// SPDX-License-Identifier: Apache-2.0
//! A clock for programs that have none of their own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cress_domain::{Clock, Timestamp};

/// The machine's clocks. The monotonic one counts the time that the machine sleeps where the system offers that (Linux,
/// Android, macOS): keys must not look fresh after a week in a suspended virtual machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The machine's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the real clock, for programs that bring none")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the real clock, for programs that bring none")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH).map_or_else(
            |before_epoch| Timestamp::default() - before_epoch.duration(),
            |since_epoch| Timestamp::default() + since_epoch,
        )
    }

    fn monotonic(&self) -> Duration {
        running_while_asleep().unwrap_or_else(|| self.started.elapsed())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn running_while_asleep() -> Option<Duration> {
    nix::time::ClockId::CLOCK_BOOTTIME.now().ok().map(Duration::from)
}

/// Darwin's `CLOCK_MONOTONIC` counts sleep, unlike the clock behind `Instant` there.
#[cfg(target_vendor = "apple")]
fn running_while_asleep() -> Option<Duration> {
    nix::time::ClockId::CLOCK_MONOTONIC.now().ok().map(Duration::from)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn running_while_asleep() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_forward_from_a_plausible_now() {
        let clock = SystemClock::default();
        assert!(clock.now() > Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
