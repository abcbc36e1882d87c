// SPDX-License-Identifier: Apache-2.0
//! How long to wait before trying again: doubling, capped, and jittered so that a fleet does not come back in one wave.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::Random;

/// The waits between tries that keep failing.
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
    random: Arc<dyn Random>,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration, random: Arc<dyn Random>) -> Self {
        Self { first, max, next: first, random }
    }

    /// The next wait: between half of the nominal one and all of it.
    pub(crate) fn wait(&mut self) -> Duration {
        let nominal = self.next;
        self.next = nominal.saturating_mul(2).min(self.max);
        nominal.mul_f64(0.5 + fraction(self.random.as_ref()) / 2.0)
    }

    /// To be called after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random number from 0 up to, but not including, 1.
pub(crate) fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use cress_testkit::SeededRandom;

    use super::*;

    #[test]
    fn waits_double_to_the_cap_and_are_jittered() {
        let milliseconds = Duration::from_millis;
        let mut backoff = Backoff::new(milliseconds(200), milliseconds(5_000), Arc::new(SeededRandom::default()));
        for nominal in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let wait = backoff.wait();
            assert!((milliseconds(nominal / 2)..=milliseconds(nominal)).contains(&wait), "{wait:?} of {nominal}");
        }
        backoff.reset();
        assert!(backoff.wait() <= milliseconds(200));
    }
}
