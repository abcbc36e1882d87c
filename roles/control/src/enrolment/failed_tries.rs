// SPDX-License-Identifier: Apache-2.0
//! How often someone may fail to enrol. A secret of 256 bits is not guessed; this keeps those who try from keeping the store busy.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cress_domain::Clock;
use tonic::{Code, Status};

/// Failed tries of one address in one window, after which it is refused unheard.
const FAILED_TRIES_MAX: u32 = 10;
/// A window begins with the first failed try.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once.
const ADDRESSES_MAX: usize = 10_000;

/// Counts failed tries by address.
#[derive(Clone)]
pub(crate) struct FailedTries {
    addresses: Arc<Mutex<HashMap<IpAddr, Window>>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Duration,
    tries: u32,
}

/// An address that has failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed tries from this address; try again in {} s", .0.as_secs().max(1))]
pub(super) struct TooManyTries(Duration);

impl FailedTries {
    /// With nothing to hold against anyone.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { addresses: Arc::default(), clock }
    }

    /// Whether this address may try.
    ///
    /// # Errors
    /// [`TooManyTries`]
    pub(super) fn check(&self, address: Option<IpAddr>) -> Result<(), TooManyTries> {
        let Some(address) = address.map(bucket) else { return Ok(()) };
        let now = self.clock.monotonic();
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        match addresses.get(&address) {
            Some(window) if window.tries >= FAILED_TRIES_MAX && !window.is_over(now) => {
                Err(TooManyTries((window.began + WINDOW).saturating_sub(now)))
            }
            _ => Ok(()),
        }
    }

    /// One more failed, if this is a refusal: what is control's own failure is held against nobody.
    pub(super) fn note_refusal<T>(&self, address: Option<IpAddr>, result: &Result<T, Status>) {
        if let Err(status) = result
            && matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument)
        {
            self.note(address);
        }
    }

    /// One more failed.
    fn note(&self, address: Option<IpAddr>) {
        let Some(address) = address.map(bucket) else { return };
        let now = self.clock.monotonic();
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            make_room(&mut addresses, now);
        }
        let window = addresses.entry(address).or_insert(Window { began: now, tries: 0 });
        if window.is_over(now) {
            *window = Window { began: now, tries: 0 };
        }
        window.tries = window.tries.saturating_add(1);
    }
}

impl Window {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.began) >= WINDOW
    }
}

/// Forgets what is over; whoever fills the table with fresh addresses has a better way in than this can close.
fn make_room(addresses: &mut HashMap<IpAddr, Window>, now: Duration) {
    addresses.retain(|_, window| !window.is_over(now));
    if addresses.len() >= ADDRESSES_MAX {
        addresses.clear();
    }
}

/// An IPv6 subscriber has at least a /64 of addresses, so these count as one.
fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use cress_testkit::MockClock;

    use super::*;

    #[test]
    fn an_address_may_fail_ten_times_a_minute() {
        let clock = Arc::new(MockClock::default());
        let tries = FailedTries::new(Arc::clone(&clock) as _);
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for _ in 0..FAILED_TRIES_MAX {
            assert!(tries.check(address("2001:db8::1")).is_ok());
            tries.note(address("2001:db8::1"));
        }
        clock.advance(Duration::from_secs(20));
        let refused = tries.check(address("2001:db8::ffff")).unwrap_err();
        assert!(refused.to_string().ends_with("in 40 s"), "{refused}");
        assert!(tries.check(address("2001:db8:0:1::1")).is_ok());
        assert!(tries.check(None).is_ok());
        clock.advance(Duration::from_secs(40));
        assert!(tries.check(address("2001:db8::1")).is_ok());
        tries.note(address("2001:db8::1"));
        assert!(tries.check(address("2001:db8::1")).is_ok());
    }

    #[test]
    fn no_more_addresses_are_remembered_than_allowed() {
        let tries = FailedTries::new(Arc::new(MockClock::default()));
        for number in 0..u32::try_from(ADDRESSES_MAX).unwrap() + 5 {
            tries.note(Some(IpAddr::V4(number.into())));
        }
        assert_eq!(tries.addresses.lock().unwrap().len(), 5);
    }
}
