// SPDX-License-Identifier: Apache-2.0
//! Roles that were removed a moment ago. The server lets a session in in steps: one that had been found good before its role was shut
//! may show only after the role is gone, if the machine is busy. So removed roles are looked at once more, all that are due together.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer than the last steps of letting a session in take.
const LOOKED_AT_AFTER: Duration = Duration::from_secs(1);
/// How many are remembered. Beyond, the oldest are forgotten: they were looked at once.
const REMEMBERED_MAX: usize = 10_000;

/// The numbers of removed roles, and when they were removed.
#[derive(Debug, Default)]
pub(crate) struct Late(Mutex<VecDeque<(Duration, i64)>>);

impl Late {
    pub(crate) fn remember(&self, now: Duration, role: i64) {
        let mut removed = self.removed();
        if removed.len() >= REMEMBERED_MAX {
            removed.pop_front();
        }
        removed.push_back((now, role));
    }

    /// Those that are due, which are not remembered any more.
    pub(crate) fn take_due(&self, now: Duration) -> Vec<i64> {
        let mut removed = self.removed();
        let due = removed.iter().take_while(|(at, _)| now.saturating_sub(*at) >= LOOKED_AT_AFTER).count();
        removed.drain(..due).map(|(_, role)| role).collect()
    }

    fn removed(&self) -> MutexGuard<'_, VecDeque<(Duration, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_after_a_while() {
        let late = Late::default();
        let at = Duration::from_millis;
        late.remember(at(0), 1);
        late.remember(at(500), 2);
        assert!(late.take_due(at(999)).is_empty());
        assert_eq!(late.take_due(at(1_000)), [1]);
        assert_eq!(late.take_due(at(2_000)), [2]);
        assert!(late.take_due(at(9_000)).is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let late = Late::default();
        (0..20_000).for_each(|role| late.remember(Duration::ZERO, role));
        let due = late.take_due(LOOKED_AT_AFTER);
        assert_eq!((due.len(), due.first()), (REMEMBERED_MAX, Some(&10_000)));
    }
}
