// SPDX-License-Identifier: Apache-2.0
//! The steps of a long task: each says that it begins, how it ended and how long it took.

use anyhow::bail;

use crate::report::{self, Stopwatch};

/// The steps done so far.
#[derive(Default)]
pub(super) struct Steps {
    done: Vec<Done>,
}

struct Done {
    name: &'static str,
    time: String,
    failed: bool,
}

impl Steps {
    pub(super) fn run(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<()>) {
        report::line(&format!("==> {name}"));
        let stopwatch = Stopwatch::start();
        let outcome = step();
        let time = stopwatch.text();
        match &outcome {
            Ok(()) => report::line(&format!("    {name}: done in {time}")),
            Err(error) => report::line(&format!("    {name}: FAILED after {time}: {error:#}")),
        }
        self.done.push(Done { name, time, failed: outcome.is_err() });
    }

    /// Shows all steps once more, and fails if one has.
    pub(super) fn summary(&self) -> anyhow::Result<()> {
        report::line("==> summary");
        for step in &self.done {
            let outcome = if step.failed { "FAILED" } else { "ok" };
            report::line(&format!("    {:<8} {outcome:<6} {}", step.name, step.time));
        }
        let failed: Vec<&str> = self.done.iter().filter(|step| step.failed).map(|step| step.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_at_the_end_and_stops_no_other() {
        let mut steps = Steps::default();
        steps.run("first", || Ok(()));
        assert!(steps.summary().is_ok());

        steps.run("second", || bail!("no"));
        let mut ran = false;
        steps.run("third", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.summary().unwrap_err().to_string(), "failed: second");
    }
}
