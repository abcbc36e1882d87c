// SPDX-License-Identifier: Apache-2.0
//! The time at control, as far as this node knows it. Certificates and tokens are made by control's clock, and the node's own may be wrong
//! by an hour or a year: so it is believed only until control has told the time over a connection on which it has proved itself, and
//! from then on the monotonic clock counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_domain::{Clock, Timestamp};

/// A clock that follows control's. Clones are the same.
#[derive(Clone)]
pub(crate) struct ControlClock(Arc<Inner>);

struct Inner {
    own: Arc<dyn Clock>,
    known: Mutex<Known>,
}

struct Known {
    /// The latest time that control is known to have had.
    has_been: Timestamp,
    /// What control said last, and the monotonic time at which it came.
    heard: Option<(Timestamp, Duration)>,
}

impl ControlClock {
    /// A clock beside the machine's own, of a node that has heard from control at this time of control's, in this life or an earlier one.
    pub(crate) fn new(own: Arc<dyn Clock>, has_been: Timestamp) -> Self {
        Self(Arc::new(Inner { own, known: Mutex::new(Known { has_been, heard: None }) }))
    }

    /// Control has just said what time it is. It must have proved itself before. A time of nought says nothing.
    pub(crate) fn learn(&self, control_time: Timestamp) {
        if control_time <= Timestamp::default() {
            return;
        }
        let now = self.0.own.monotonic();
        let mut known = self.known();
        known.heard = Some((control_time, now));
        known.has_been = known.has_been.max(control_time);
    }

    /// The latest time that control is known to have had: what ended before it is over, whatever any clock says.
    pub(crate) fn has_been(&self) -> Timestamp {
        self.known().has_been
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ControlClock {
    fn now(&self) -> Timestamp {
        let known = self.known();
        match known.heard {
            Some((control_time, at)) => control_time + self.0.own.monotonic().saturating_sub(at),
            None => self.0.own.now().max(known.has_been),
        }
    }

    fn monotonic(&self) -> Duration {
        self.0.own.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use cress_testkit::MockClock;

    use super::*;

    #[test]
    fn what_control_says_counts_more_than_the_nodes_own_clock() {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
        let now = Timestamp::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
        let minute = Duration::from_secs(60);
        for own in [now - YEAR, now, now + YEAR] {
            let machine = Arc::new(MockClock::new(own));
            let clock = ControlClock::new(Arc::clone(&machine) as _, now - minute);
            assert_eq!(
                clock.now(),
                own.max(now - minute),
                "its own until it knows better, but not what is over for sure"
            );
            clock.learn(Timestamp::default());
            assert_eq!(clock.has_been(), now - minute);
            clock.learn(now);
            assert_eq!((clock.now(), clock.has_been()), (now, now));
            machine.set_now(own + YEAR);
            machine.set_monotonic(machine.monotonic() + minute);
            assert_eq!(clock.now(), now + minute, "the monotonic clock counts from then on");
            clock.learn(now);
            assert_eq!(clock.now(), now, "control may set its clock back");
        }
    }
}
