// SPDX-License-Identifier: Apache-2.0
//! Whether this machine's clock may be gone by. It is compared with that of the database's server, the one clock that all replicas have in
//! common: a replica that is far off it would tell nodes a time that they never forget, and switch keys when nobody else does. So it starts
//! with no such clock, and with one that goes wrong later it signs nothing, admits no node and changes no key until it is right again.
//! Where the database is a file there is no other clock, and nothing is compared.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cress_domain::{Clock, Timestamp};
use cress_store::{Database, StoreError};

/// How often the clocks are compared. In between, a jump shows against the machine's own monotonic clock.
const COMPARE_PERIOD: Duration = Duration::from_secs(10);
/// How often it is looked whether what waits for a good clock may go on, or has to stop.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The clock is not to be gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock is {} s {} that of the database's server, expected {} s at most (store.clock_apart_seconds_max); set the one that is \
     wrong right (systemd-timesyncd or chrony)",
    apart.as_secs(), if *is_ahead { "ahead of" } else { "behind" }, most.as_secs()
)]
pub struct ClockOff {
    apart: Duration,
    is_ahead: bool,
    most: Duration,
}

/// What is known of the clock. Clones are the same.
#[derive(Clone)]
pub(crate) struct ClockTrust(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    /// None: there is nothing to compare it with.
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Copy)]
struct Known {
    /// What this machine's clocks showed when they were last compared.
    wall: Timestamp,
    monotonic: Duration,
    most: Duration,
    off: Option<ClockOff>,
}

impl ClockTrust {
    /// Trusts a clock until something speaks against it.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { clock, known: Mutex::default() }))
    }

    /// Whether it may be gone by, now.
    ///
    /// # Errors
    /// [`ClockOff`]
    pub(crate) fn check(&self) -> Result<(), ClockOff> {
        let Some(known) = *self.known() else { return Ok(()) };
        let passed = self.0.clock.monotonic().saturating_sub(known.monotonic);
        let (now, expected) = (self.0.clock.now(), known.wall + passed);
        let jumped = compared(now, expected, expected, known.most);
        known.off.or(jumped).map_or(Ok(()), Err)
    }

    /// Compares it with the database's.
    ///
    /// # Errors
    /// [`StoreError`] if that has none to show; what was known stays known.
    pub(crate) async fn compare(&self, database: &Database, most: Duration) -> Result<(), StoreError> {
        let before = self.0.clock.now();
        if let Some(servers) = database.clock().await? {
            self.note(before, servers, most);
        }
        Ok(())
    }

    /// The server's clock showed this at some time since ours had shown `before`: only what its answer cannot have taken counts.
    pub(crate) fn note(&self, before: Timestamp, servers: Timestamp, most: Duration) {
        let (wall, monotonic) = (self.0.clock.now(), self.0.clock.monotonic());
        let off = compared(wall, servers, servers + wall.saturating_since(before), most);
        let known = Known { wall, monotonic, most, off };
        let former = self.known().replace(known).and_then(|former| former.off);
        match (former, off) {
            (None, Some(off)) => {
                tracing::error!("{off}; until then nothing is signed, no node admitted, no key changed")
            }
            (Some(_), None) => tracing::info!("this machine's clock and that of the database's server agree again"),
            _ => {}
        }
    }

    /// Compares now and then, until `cancel` resolves.
    pub(crate) async fn follow(self, database: Database, most: Duration, cancel: impl Future<Output = ()> + Send) {
        let follow = async {
            loop {
                tokio::time::sleep(COMPARE_PERIOD).await;
                if let Err(error) = self.compare(&database, most).await {
                    tracing::debug!(%error, "the clock cannot be compared with the database's");
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = cancel => {}
        }
    }

    /// Resolves when the clock is no longer to be gone by.
    pub(crate) async fn lost(&self) {
        while self.check().is_ok() {
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    /// Resolves when it is.
    pub(crate) async fn regained(&self) {
        while self.check().is_err() {
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a clock is off one that shows something between these.
fn compared(now: Timestamp, earliest: Timestamp, latest: Timestamp, most: Duration) -> Option<ClockOff> {
    let (ahead, behind) = (now.saturating_since(latest), earliest.saturating_since(now));
    let (apart, is_ahead) = (ahead.max(behind), ahead > behind);
    (apart > most).then_some(ClockOff { apart, is_ahead, most })
}

impl fmt::Debug for ClockTrust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClockTrust({:?})", self.check())
    }
}

#[cfg(test)]
mod tests {
    use cress_testkit::MockClock;

    use super::*;

    const MOST: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_clock_far_off_the_databases_is_not_gone_by() {
        let clock = Arc::new(MockClock::default());
        let trust = ClockTrust::new(Arc::clone(&clock) as _);
        trust.check().unwrap();
        let now = clock.now();
        for (servers, is_good) in
            [(now, true), (now + MOST, true), (now - MOST, true), (now + HOUR, false), (now - HOUR, false)]
        {
            trust.note(now, servers, MOST);
            assert_eq!(trust.check().is_ok(), is_good, "{servers}");
        }
        assert!(trust.check().unwrap_err().to_string().contains("3600 s ahead of"), "{trust:?}");
        trust.note(now, now, MOST);
        trust.check().unwrap();
    }

    /// A server that takes its time is not one whose clock is wrong.
    #[test]
    fn a_late_answer_is_not_held_against_the_clock() {
        let clock = Arc::new(MockClock::default());
        let trust = ClockTrust::new(Arc::clone(&clock) as _);
        let before = clock.now();
        clock.advance(2 * MOST);
        for servers in [before, before + MOST, before + 2 * MOST] {
            trust.note(before, servers, MOST);
            trust.check().unwrap();
        }
    }

    #[test]
    fn a_jump_shows_before_the_clocks_are_compared_again() {
        let clock = Arc::new(MockClock::default());
        let trust = ClockTrust::new(Arc::clone(&clock) as _);
        trust.note(clock.now(), clock.now(), MOST);
        clock.advance(HOUR);
        trust.check().unwrap();
        clock.set_now(clock.now() + HOUR);
        assert!(trust.check().unwrap_err().to_string().contains("3600 s ahead of"));
        clock.set_now(clock.now() - HOUR);
        trust.check().unwrap();
    }
}
