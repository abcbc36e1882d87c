// SPDX-License-Identifier: Apache-2.0
//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until there is a value, for a minute at most.
///
/// # Panics
/// If there is none in time.
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    eventually_for(PATIENCE, what, condition)
}

/// As [`eventually`], with a deadline of one's own.
///
/// # Panics
/// If there is none in time.
pub fn eventually_for<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "expected {what} within {patience:?}");
        std::thread::sleep(PAUSE);
    }
}
