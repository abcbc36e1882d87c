// SPDX-License-Identifier: Apache-2.0
//! How often one node may make control work, so that no node keeps it from the others.

use std::time::Duration;

use tokio::time::Instant;

/// What is paced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Having its certificate renewed.
    Renew,
    /// Announcing another capacity, which makes placement plan anew.
    ChangeCapacity,
    /// Having deletion costs written.
    WriteCosts,
    /// Connecting with another agent than before.
    ChangeAgent,
    /// Having a report of its instances heard.
    Report,
}

/// The paces of one node.
#[derive(Debug)]
pub(super) struct Paces {
    renewals: Pace,
    capacities: Pace,
    costs: Pace,
    agents: Pace,
    reports: Pace,
}

/// So many at once, and then one in each period.
#[derive(Debug)]
struct Pace {
    at_once: u32,
    period: Duration,
    /// When all that was taken would have come one by one.
    taken_until: Option<Instant>,
}

impl Paces {
    /// Whether it may now; if so, that counts.
    pub(super) fn take(&mut self, deed: Deed) -> bool {
        let now = Instant::now();
        match deed {
            Deed::Renew => self.renewals.take(now),
            Deed::ChangeCapacity => self.capacities.take(now),
            Deed::WriteCosts => self.costs.take(now),
            Deed::ChangeAgent => self.agents.take(now),
            Deed::Report => self.reports.take(now),
        }
    }
}

impl Default for Paces {
    fn default() -> Self {
        let often =
            |at_once, milliseconds| Pace { at_once, period: Duration::from_millis(milliseconds), taken_until: None };
        let pace = |at_once: u32, seconds: u64| often(at_once, 1_000 * seconds);
        // A renewal is due once in hours, and an answer may get lost.
        // An agent reports four times a second at most, but for its first report, which may be in ten pieces.
        let (agents, reports) = (pace(4, 10), often(40, 100));
        Self { renewals: pace(4, 60), capacities: pace(4, 10), costs: pace(1, 1), agents, reports }
    }
}

impl Pace {
    fn take(&mut self, now: Instant) -> bool {
        let from = self.taken_until.map_or(now, |until| until.max(now));
        let may = from.duration_since(now) <= self.period * self.at_once.saturating_sub(1);
        if may {
            self.taken_until = Some(from + self.period);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_at_once_and_then_one_in_each_period() {
        let mut paces = Paces::default();
        let mut renewals = |expected: &[bool]| {
            let taken: Vec<bool> = expected.iter().map(|_| paces.take(Deed::Renew)).collect();
            assert_eq!(taken, expected);
        };
        renewals(&[true, true, true, true, false, false]);
        tokio::time::advance(Duration::from_secs(60)).await;
        renewals(&[true, false]);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        renewals(&[true, true, true, true, false]);
        assert!(paces.take(Deed::WriteCosts), "each deed has a pace of its own");
        assert!(!paces.take(Deed::WriteCosts));
    }
}
