// SPDX-License-Identifier: Apache-2.0
//! How results in a row become a verdict.

use cress_domain::Probe;

/// What a probe says when its threshold is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
}

/// Counts results in a row.
#[derive(Debug)]
pub(super) struct Streak {
    success_threshold: u32,
    failure_threshold: u32,
    last: Option<bool>,
    length: u32,
}

impl Streak {
    pub(super) const fn of(probe: &Probe) -> Self {
        let Probe { success_threshold, failure_threshold, .. } = *probe;
        Self { success_threshold, failure_threshold, last: None, length: 0 }
    }

    /// Takes one result, and gives a verdict if that is one in a row too many, or enough.
    pub(super) fn record(&mut self, is_success: bool) -> Option<Verdict> {
        self.length = if self.last == Some(is_success) { self.length.saturating_add(1) } else { 1 };
        self.last = Some(is_success);
        let (threshold, verdict) = if is_success {
            (self.success_threshold, Verdict::Success)
        } else {
            (self.failure_threshold, Verdict::Failure)
        };
        (self.length >= threshold).then_some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_in_a_row_count() {
        let probe = r#"{"tcp":{"port":1},"success_threshold":2,"failure_threshold":3}"#;
        let mut streak = Streak::of(&serde_json::from_str(probe).unwrap());
        let (success, failure) = (Some(Verdict::Success), Some(Verdict::Failure));
        for (result, verdict) in [
            (true, None),
            (false, None),
            (false, None),
            (true, None),
            (true, success),
            (true, success),
            (false, None),
            (false, None),
            (false, failure),
            (false, failure),
            (true, None),
        ] {
            assert_eq!(streak.record(result), verdict);
        }
    }
}
