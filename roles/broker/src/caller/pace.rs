// SPDX-License-Identifier: Apache-2.0
//! How often one may ask: a bucket for each owner, which is one number that says when it will be full again (the generic cell rate
//! algorithm, ITU-T I.371). No lock is taken, and nothing is ever swept.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::config::Rates;
use crate::lease::Owner;

/// Owners that are kept account of. Who is forgotten begins anew.
const OWNERS_MAX: usize = 200_000;
const NANOSECONDS: u64 = 1_000_000_000;

/// The buckets of all owners, which outlive a change of the configuration.
pub(crate) struct Buckets {
    all: Cache<[u64; 2], Arc<Bucket>, UnitWeighter, RandomState>,
    /// Two, so that no two owners share a bucket by chance or by choice.
    hashers: [RandomState; 2],
}

/// When it will be full again, in nanoseconds of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Bucket(AtomicU64);

/// How often instances and groups may ask.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) instance: Rate,
    pub(crate) group: Rate,
}

/// How often one may ask.
#[derive(Debug)]
pub(crate) struct Rate {
    interval: u64,
    burst: u64,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        let capacity = u64::try_from(OWNERS_MAX).unwrap_or(u64::MAX);
        let all = Cache::with(OWNERS_MAX, capacity, UnitWeighter, RandomState::new(), DefaultLifecycle::default());
        Self { all, hashers: [RandomState::new(), RandomState::new()] }
    }

    /// The bucket of this owner.
    pub(crate) fn of(&self, owner: &Owner) -> Arc<Bucket> {
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(owner));
        if let Some(bucket) = self.all.get(&key) {
            return bucket;
        }
        let bucket = Arc::<Bucket>::default();
        self.all.insert(key, Arc::clone(&bucket));
        bucket
    }
}

impl Pace {
    pub(crate) fn of(rates: &Rates) -> Self {
        Self {
            instance: Rate::new(rates.instance_per_second, rates.instance_burst),
            group: Rate::new(rates.group_per_second, rates.group_burst),
        }
    }
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = NANOSECONDS.checked_div(per_second.into()).unwrap_or(NANOSECONDS);
        Self { interval, burst: interval.saturating_mul(burst.into()) }
    }

    /// Takes one request out of the bucket; if it is empty, says in how long there will be one.
    pub(crate) fn take(&self, bucket: &Bucket, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut full_at = bucket.0.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(self.interval);
            let debt = next.saturating_sub(now);
            if debt > self.burst {
                return Err(Duration::from_nanos(debt.saturating_sub(self.burst)));
            }
            match bucket.0.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => full_at = changed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (rate, bucket) = (Rate::new(10, 3), Bucket::default());
        let mut now = Duration::from_secs(1_000);
        let taken = |now| rate.take(&bucket, now);
        assert_eq!([taken(now), taken(now), taken(now)], [Ok(()); 3]);
        assert_eq!(taken(now), Err(Duration::from_millis(100)));
        now += Duration::from_millis(99);
        assert_eq!(taken(now), Err(Duration::from_millis(1)));
        now += Duration::from_millis(1);
        assert_eq!([taken(now), taken(now)], [Ok(()), Err(Duration::from_millis(100))]);
        now += Duration::from_secs(3_600);
        assert_eq!([taken(now), taken(now), taken(now)], [Ok(()); 3]);
        assert!(taken(now).is_err(), "no more than a burst is saved up");
    }

    #[test]
    fn each_owner_has_one_bucket() {
        let buckets = Buckets::new();
        let owner =
            |issuer: &str, id: &str| Owner::Instance { issuer: issuer.parse().unwrap(), instance_id: id.to_owned() };
        let of = |issuer, id| Arc::as_ptr(&buckets.of(&owner(issuer, id)));
        assert_eq!(of("https://a.example", "1"), of("https://a.example", "1"));
        assert_ne!(of("https://a.example", "1"), of("https://a.example", "2"));
        assert_ne!(of("https://a.example", "1"), of("https://b.example", "1"));
    }
}
