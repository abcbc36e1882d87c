// SPDX-License-Identifier: Apache-2.0
//! What follows when a run ends by itself: nothing, or another run, and when.

use std::time::Duration;

use cress_domain::RestartPolicy;
use cress_driver::Exit;

/// The wait before the second run again; it doubles with each further one. The first is at once.
const DELAY_FIRST: Duration = Duration::from_secs(10);
const DELAY_MAX: Duration = Duration::from_secs(300);
/// A run of this length was a good one: what follows it begins anew.
const GOOD_RUN: Duration = Duration::from_secs(600);

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    RunAgain,
    Succeeded,
    Failed,
}

/// What the policy says to an end that nobody asked for.
pub(super) const fn next(policy: RestartPolicy, exit: Exit) -> Next {
    match (policy, exit.is_success()) {
        (RestartPolicy::Always, _) | (RestartPolicy::OnFailure, false) => Next::RunAgain,
        (RestartPolicy::OnFailure | RestartPolicy::Never, true) => Next::Succeeded,
        (RestartPolicy::Never, false) => Next::Failed,
    }
}

/// The waits between runs that keep ending.
#[derive(Debug, Default)]
pub(super) struct Delays {
    next: Duration,
}

impl Delays {
    /// How long to wait after a run of this length.
    pub(super) fn after(&mut self, run: Duration) -> Duration {
        if run >= GOOD_RUN {
            self.next = Duration::ZERO;
        }
        let delay = self.next;
        self.next = (delay * 2).clamp(DELAY_FIRST, DELAY_MAX);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides_by_the_exit() {
        for (policy, success, failure) in [
            (RestartPolicy::Always, Next::RunAgain, Next::RunAgain),
            (RestartPolicy::OnFailure, Next::Succeeded, Next::RunAgain),
            (RestartPolicy::Never, Next::Succeeded, Next::Failed),
        ] {
            assert_eq!(next(policy, Exit::Code(0)), success);
            for exit in [Exit::Code(1), Exit::Signal(9), Exit::Lost] {
                assert_eq!(next(policy, exit), failure, "{policy:?} {exit}");
            }
        }
    }

    #[test]
    fn delays_grow_until_a_run_was_good() {
        let mut delays = Delays::default();
        let seconds: Vec<u64> = (0..8).map(|_| delays.after(Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(delays.after(GOOD_RUN), Duration::ZERO);
        assert_eq!(delays.after(Duration::ZERO), DELAY_FIRST);
    }
}
