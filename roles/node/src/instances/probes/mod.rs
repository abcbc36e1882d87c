// SPDX-License-Identifier: Apache-2.0
//! Health probes of one run: startup first, then liveness and readiness side by side, with the thresholds' meaning that
//! Kubernetes gives them.

mod attempt;
mod verdict;

use std::time::Duration;

use cress_domain::{Probe, Probes};
use tokio::time::{Instant, MissedTickBehavior};

pub(super) use attempt::{Network, Prober};

use super::condition::Condition;
use verdict::{Streak, Verdict};

/// Follows the probes of the run that has just begun, and keeps its condition. Resolves, with the reason, only when the
/// run is to be ended because a probe failed. To be dropped when the run is over.
pub(super) async fn follow(probes: &Probes, prober: &Prober, condition: &Condition) -> String {
    let began = Instant::now();
    if let Some(startup) = &probes.startup
        && let (Verdict::Failure, reason) = Series::begin(startup, began).next_verdict(prober).await
    {
        return format!("its startup probe failed: {reason}");
    }
    condition.change(|facts| {
        facts.started = true;
        facts.ready = probes.readiness.is_none();
    });
    tokio::select! {
        reason = liveness(probes.liveness.as_ref(), prober, began) => reason,
        never = readiness(probes.readiness.as_ref(), prober, condition, began) => match never {},
    }
}

async fn liveness(probe: Option<&Probe>, prober: &Prober, began: Instant) -> String {
    let Some(probe) = probe else { return std::future::pending().await };
    let mut series = Series::begin(probe, began);
    loop {
        if let (Verdict::Failure, reason) = series.next_verdict(prober).await {
            return format!("its liveness probe failed: {reason}");
        }
    }
}

async fn readiness(
    probe: Option<&Probe>,
    prober: &Prober,
    condition: &Condition,
    began: Instant,
) -> std::convert::Infallible {
    let Some(probe) = probe else { return std::future::pending().await };
    let mut series = Series::begin(probe, began);
    loop {
        let (verdict, reason) = series.next_verdict(prober).await;
        condition.change(|facts| {
            facts.ready = verdict == Verdict::Success;
            facts.detail = if facts.ready { String::new() } else { format!("its readiness probe failed: {reason}") };
        });
    }
}

/// The tries of one probe, from its initial delay on.
struct Series<'a> {
    probe: &'a Probe,
    streak: Streak,
    ticks: tokio::time::Interval,
}

impl<'a> Series<'a> {
    fn begin(probe: &'a Probe, began: Instant) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let first = (began + seconds(probe.initial_delay_seconds)).max(Instant::now());
        let mut ticks = tokio::time::interval_at(first, seconds(probe.period_seconds.max(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { probe, streak: Streak::of(probe), ticks }
    }

    /// Tries until there is a verdict; with it comes why the last try failed, if it did.
    async fn next_verdict(&mut self, prober: &Prober) -> (Verdict, String) {
        loop {
            self.ticks.tick().await;
            let result = prober.attempt(self.probe).await;
            if let Err(reason) = &result {
                tracing::debug!(instance_id = %prober.id, reason, "a probe failed");
            }
            if let Some(verdict) = self.streak.record(result.is_ok()) {
                return (verdict, result.err().unwrap_or_default());
            }
        }
    }
}
