// SPDX-License-Identifier: Apache-2.0
//! Keeping the log readable while control is away for long: the first failure is told, and then one in a while.

use std::time::Duration;

use tokio::time::Instant;

/// Time between two lines about the same trouble.
const PERIOD: Duration = Duration::from_secs(60);

/// When it was last told that there is no link.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    /// Whether to tell now.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= PERIOD);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }

    /// The trouble is over: the next one is told at once.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_and_then_one_a_minute() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_due() && !complaints.is_due());
        tokio::time::advance(PERIOD).await;
        assert!(complaints.is_due() && !complaints.is_due());
        complaints.reset();
        assert!(complaints.is_due());
    }
}
