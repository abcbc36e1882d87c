// SPDX-License-Identifier: Apache-2.0
//! Time that stands still until a test moves it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cress_domain::{Clock, Timestamp};

/// A clock whose wall time and monotonic time are set by the test, together or apart.
#[derive(Debug)]
pub struct MockClock {
    time: Mutex<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Time {
    now: Timestamp,
    monotonic: Duration,
}

impl MockClock {
    /// A clock that shows this wall time, and an hour of monotonic time.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { time: Mutex::new(Time { now, monotonic: Duration::from_secs(3_600) }) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, duration: Duration) {
        self.change(|time| {
            time.now = time.now + duration;
            time.monotonic += duration;
        });
    }

    /// Sets the wall clock alone, as an operator or NTP would.
    pub fn set_now(&self, now: Timestamp) {
        self.change(|time| time.now = now);
    }

    /// Sets the monotonic clock alone.
    ///
    /// # Panics
    /// If it would go back.
    pub fn set_monotonic(&self, monotonic: Duration) {
        self.change(|time| {
            assert!(monotonic >= time.monotonic, "a monotonic clock never goes back");
            time.monotonic = monotonic;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Time)) {
        change(&mut self.time.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> Time {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment at which the reference platform's documented token was issued: 2025-03-27T18:50:46Z.
impl Default for MockClock {
    fn default() -> Self {
        Self::new(Timestamp::from_unix_seconds(1_743_101_446))
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        self.read().now
    }

    fn monotonic(&self) -> Duration {
        self.read().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_by_hand() {
        let clock = MockClock::default();
        assert_eq!(clock.now().rfc3339(), "2025-03-27T18:50:46Z");
        let (now, monotonic) = (clock.now(), clock.monotonic());
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().saturating_since(now), Duration::from_millis(1_500));
        assert_eq!(clock.monotonic() - monotonic, Duration::from_millis(1_500));
        clock.set_now(now);
        assert_eq!(clock.now(), now);
        assert_eq!(clock.monotonic() - monotonic, Duration::from_millis(1_500));
        clock.set_monotonic(Duration::from_secs(7_200));
        assert_eq!((clock.now(), clock.monotonic()), (now, Duration::from_secs(7_200)));
    }
}
