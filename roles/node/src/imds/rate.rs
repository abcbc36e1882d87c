// SPDX-License-Identifier: Apache-2.0
//! A token bucket without a lock (the generic cell rate algorithm, ITU-T I.371: one number says it all).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Lets so many events through at once, and so many a second in the long run. Times are since the server's start.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Nanoseconds between two events at the kept-up rate.
    interval: u64,
    /// How far, in nanoseconds, the next event's due time may lie ahead.
    tolerance: u64,
    /// When the next event would be due if all came at the kept-up rate, in nanoseconds.
    due: AtomicU64,
}

impl Bucket {
    pub(super) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.get());
        Self { interval, tolerance: interval.saturating_mul(u64::from(burst.get())), due: AtomicU64::new(0) }
    }

    /// Takes one event, or says how long it takes until there is room for one.
    pub(super) fn take(&self, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut due = self.due.load(Ordering::Relaxed);
        loop {
            let next = due.max(now).saturating_add(self.interval);
            let ahead = next - now;
            if ahead > self.tolerance {
                return Err(Duration::from_nanos(ahead - self.tolerance));
            }
            match self.due.compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => due = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(per_second: u32, burst: u32) -> Bucket {
        Bucket::new(NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = bucket(10, 3);
        let at = Duration::from_millis;
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(at(100)));
        assert_eq!(bucket.take(at(60)), Err(at(40)));
        assert_eq!(bucket.take(at(100)), Ok(()));
        assert_eq!(bucket.take(at(100)), Err(at(100)));
    }

    #[test]
    fn a_quiet_while_saves_no_more_than_the_burst() {
        let bucket = bucket(1_000, 5);
        let later = Duration::from_secs(3_600);
        assert_eq!((0..10).filter(|_| bucket.take(later).is_ok()).count(), 5);
    }

    #[test]
    fn threads_share_one_bucket() {
        let bucket = bucket(1, 1_000);
        let taken = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if bucket.take(Duration::ZERO).is_ok() {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 1_000);
    }
}
