// SPDX-License-Identifier: Apache-2.0
//! How far a connection has got with its current request. The stream, the service and the driver of one connection share
//! it; all three run in one task, so the atomics order nothing: they only make it `Send`.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Limits;

/// The steps of a request, in their order; after the last comes the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The last answer is out, and nothing has come since.
    Idle,
    /// Bytes of a head have come.
    Head,
    /// The service has the request.
    Serving,
    /// The answer is made, but not all of it is out.
    Answering,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Exchange {
    started: Instant,
    phase: AtomicU8,
    since_nanoseconds: AtomicU64,
    input_ended: AtomicBool,
}

impl Exchange {
    pub(super) fn new(started: Instant) -> Self {
        let exchange = Self {
            started,
            phase: AtomicU8::new(Phase::Idle as u8),
            since_nanoseconds: AtomicU64::new(0),
            input_ended: AtomicBool::new(false),
        };
        exchange.enter(Phase::Idle, exchange.now());
        exchange
    }

    /// Time since the server's start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Serving,
            _ => Phase::Answering,
        }
    }

    pub(super) fn enter(&self, phase: Phase, now: Duration) {
        self.since_nanoseconds.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// Bytes came from the caller. While a request is served they belong to its body or to the next request.
    pub(super) fn bytes_came(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, self.now());
        }
    }

    /// The answer is made in the moment in which the request came.
    pub(super) fn answer_at_once(&self) {
        self.phase.store(Phase::Answering as u8, Relaxed);
    }

    /// The answer is out. The idle time counts from when the answer was made, which saves a look at the clock.
    pub(super) fn answer_is_out(&self) {
        self.phase.store(Phase::Idle as u8, Relaxed);
    }

    /// The caller has closed its side.
    pub(super) fn input_ended(&self) {
        self.input_ended.store(true, Relaxed);
    }

    pub(super) fn has_input_ended(&self) -> bool {
        self.input_ended.load(Relaxed)
    }

    /// When the current phase has taken too long.
    pub(super) fn due(&self, limits: &Limits) -> Instant {
        let limit = match self.phase() {
            Phase::Idle => limits.idle_time(),
            Phase::Head => limits.head_time(),
            Phase::Serving => limits.serving_time(),
            Phase::Answering => limits.write_time(),
        };
        self.started + Duration::from_nanos(self.since_nanoseconds.load(Relaxed)) + limit
    }
}
