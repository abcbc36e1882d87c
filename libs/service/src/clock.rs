// SPDX-License-Identifier: Apache-2.0
//! The one real clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cress_domain::{Clock, Timestamp};

/// The machine's clocks. On Linux the monotonic time is `CLOCK_BOOTTIME`, which runs on while the machine sleeps: a laptop
/// or a suspended virtual machine must not serve a token that died in its sleep.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
    #[cfg(debug_assertions)]
    wrong_by: WrongBy,
}

impl SystemClock {
    /// The machine's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one real clock, which everyone else takes as a parameter")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            #[cfg(debug_assertions)]
            wrong_by: WrongBy::from_environment(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock, which everyone else takes as a parameter")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        #[cfg(debug_assertions)]
        let now = self.wrong_by.apply(now);
        now.duration_since(UNIX_EPOCH).map_or_else(
            |before_epoch| Timestamp::default() - before_epoch.duration(),
            |since_epoch| Timestamp::default() + since_epoch,
        )
    }

    fn monotonic(&self) -> Duration {
        running_while_asleep().unwrap_or_else(|| self.started.elapsed())
    }
}

/// By how much tests have this clock be wrong, or live in another time: `CRESS_CLOCK_AHEAD_SECONDS`, negative for the past. Only
/// a debug build asks for it.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy)]
struct WrongBy {
    seconds: i64,
}

#[cfg(debug_assertions)]
impl WrongBy {
    fn from_environment() -> Self {
        let text = std::env::var("CRESS_CLOCK_AHEAD_SECONDS").ok();
        Self { seconds: text.and_then(|text| text.parse().ok()).unwrap_or(0) }
    }

    fn apply(self, now: SystemTime) -> SystemTime {
        let by = Duration::from_secs(self.seconds.unsigned_abs());
        let moved = if self.seconds < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        moved.unwrap_or(now)
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
        let clock = SystemClock::new();
        assert!(clock.now() > Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
