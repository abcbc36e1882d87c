// SPDX-License-Identifier: Apache-2.0
//! Looks at a key set, brings the files up to date, and has them reloaded: once, or for as long as the process runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::Clock;
use cress_jose::{Jwk, JwkSet};
use cress_service::Shutdown;
use cress_verify::KeySetReader;
use serde::Serialize;

use super::files::Files;
use super::reload::Reload;

/// Time to the next attempt after the first failed one; it doubles with each.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest sleep between two looks at the clock, since the timer stands still while the machine sleeps.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Follows one key set.
pub(super) struct Follower {
    pub(super) reader: KeySetReader,
    pub(super) files: Files,
    pub(super) reload: Option<Reload>,
    pub(super) clock: Arc<dyn Clock>,
    /// Longest time between two looks at the set.
    pub(super) interval: Duration,
    /// The last good set.
    pub(super) set: Option<JwkSet>,
}

/// What one pass did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// Whether a file was written or removed.
    pub(super) changed: bool,
    /// The ids of the keys that the files have now.
    pub(super) keys: Vec<String>,
    pub(super) written: Vec<PathBuf>,
    pub(super) removed: Vec<PathBuf>,
    pub(super) reload: Reloaded,
    pub(super) errors: Vec<String>,
}

/// What became of the reload command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reloaded {
    /// It did not have to run.
    #[default]
    NotNeeded,
    Done,
    Failed,
    /// It is due, but not all files could be written.
    Pending,
}

impl Report {
    pub(super) fn is_worth_telling(&self) -> bool {
        self.changed || self.reload != Reloaded::NotNeeded || !self.errors.is_empty()
    }
}

impl Follower {
    /// One pass.
    pub(super) async fn once(&mut self) -> Report {
        let mut report = Report::default();
        self.look(&mut report).await;
        self.bring_up_to_date(&mut report).await;
        report
    }

    /// Pass after pass, until the process is asked to stop.
    pub(super) async fn run(
        mut self,
        shutdown: &Shutdown,
        mut tell: impl FnMut(&Report) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (mut look_at, mut failed_looks, mut failed_updates) = (Duration::ZERO, 0, 0);
        while !shutdown.is_requested() {
            let mut report = Report::default();
            if look_at <= self.clock.monotonic() {
                let looked = self.look(&mut report).await;
                failed_looks = count(failed_looks, looked.is_none());
                let next_in = looked.map_or_else(|| retry_in(failed_looks), |next_in| next_in.min(self.interval));
                look_at = self.clock.monotonic().saturating_add(next_in);
            }
            let is_good = self.bring_up_to_date(&mut report).await;
            failed_updates = count(failed_updates, !is_good);
            if report.is_worth_telling() {
                tell(&report)?;
            }
            let retry_at = self.clock.monotonic().saturating_add(retry_in(failed_updates));
            self.sleep_until(if is_good { look_at } else { look_at.min(retry_at) }, shutdown).await;
        }
        Ok(())
    }

    /// Looks at the set; when to look again, if there was a good one. A set without a key that can be used is none: nothing could
    /// be verified with it, and no issuer that works publishes one.
    async fn look(&mut self, report: &mut Report) -> Option<Duration> {
        match self.reader.look().await {
            Ok(look) if !look.set.keys().is_empty() => {
                self.note_skipped(&look.set);
                self.set = Some(look.set);
                Some(look.next_in)
            }
            Ok(look) => {
                let skipped = look.set.skipped().len();
                report.errors.push(format!(
                    "expected a key set with at least one usable key, got one with none ({skipped} unusable); the files \
                     stay as they are"
                ));
                None
            }
            Err(error) => {
                report.errors.push(format!("{error}; the files stay as they are"));
                None
            }
        }
    }

    fn note_skipped(&self, set: &JwkSet) {
        if self.set.as_ref() != Some(set) {
            for skipped in set.skipped() {
                let reason = skipped.reason.to_string();
                tracing::warn!(index = skipped.index, reason, "a key of the set cannot be used and is left out");
            }
        }
    }

    /// Whether all is as it should be. Files are looked at each time: somebody may have removed or changed them, and which key signs
    /// depends on the time. Nothing is reloaded before all files are written.
    async fn bring_up_to_date(&mut self, report: &mut Report) -> bool {
        let Some(set) = &self.set else { return true };
        let updated = self.files.update(set, self.clock.now());
        report.keys = set.keys().iter().filter_map(Jwk::kid).map(ToString::to_string).collect();
        report.changed = !updated.written.is_empty() || !updated.removed.is_empty();
        (report.written, report.removed) = (updated.written, updated.removed);
        let all_written = updated.errors.is_empty();
        report.errors.extend(updated.errors.iter().map(|error| format!("{error:#}")));
        let Some(reload) = &mut self.reload else { return all_written };
        if report.changed {
            reload.want();
        }
        report.reload = match (reload.is_due(), all_written) {
            (false, _) => Reloaded::NotNeeded,
            (true, false) => Reloaded::Pending,
            (true, true) => match reload.run().await {
                Ok(()) => Reloaded::Done,
                Err(error) => {
                    report.errors.push(error.to_string());
                    Reloaded::Failed
                }
            },
        };
        all_written && report.reload != Reloaded::Failed
    }

    async fn sleep_until(&self, due: Duration, shutdown: &Shutdown) {
        while !shutdown.is_requested() {
            let remaining = due.saturating_sub(self.clock.monotonic());
            if remaining.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(remaining.min(SLEEP_MAX)) => {}
                () = shutdown.requested() => {}
            }
        }
    }
}

const fn count(failures: u32, failed: bool) -> u32 {
    if failed { failures.saturating_add(1) } else { 0 }
}

/// After this many failures in a row, of which there is at least one.
fn retry_in(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    RETRY_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_but_never_end() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, 100, u32::MAX].map(|failures| retry_in(failures).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60, 60]);
    }
}
