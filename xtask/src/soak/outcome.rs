// SPDX-License-Identifier: Apache-2.0
//! What came of it: told, recorded, judged.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::accounts::Accounts;
use super::load::Calls;
use super::resources::{Resources, Trend};
use crate::workspace::Workspace;
use crate::{command, report};

const RESULTS: &str = "bench/RESULTS.md";

/// What was done.
pub(super) struct Figures {
    pub(super) length: Duration,
    pub(super) rate: u64,
    pub(super) calls: Calls,
    pub(super) churned: u64,
    pub(super) faults: u32,
    pub(super) store: &'static str,
}

/// What was done, and what came of it.
pub(super) struct Outcome {
    figures: Figures,
    failed: u64,
    excused: u64,
    verified: u64,
    told: Vec<String>,
    refused: Vec<String>,
    trends: Vec<Trend>,
}

impl Outcome {
    pub(super) fn new(figures: Figures, accounts: &Accounts, resources: &Resources) -> Self {
        Self {
            figures,
            failed: accounts.failed.load(Ordering::Relaxed),
            excused: accounts.excused_failures.load(Ordering::Relaxed),
            verified: accounts.verified.load(Ordering::Relaxed),
            told: accounts.told(),
            refused: accounts.refused(),
            trends: resources.trends(),
        }
    }

    pub(super) fn tell(&self) {
        report::line(&self.table());
        for line in self.told.iter().chain(&self.refused) {
            report::line(&format!("    {line}"));
        }
    }

    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        ensure!(self.figures.calls.asked > 0 && self.verified > 0, "nothing was asked, or no token verified");
        ensure!(self.failed == 0, "{} calls failed that must not", self.failed);
        ensure!(self.refused.is_empty(), "{} tokens did not verify", self.refused.len());
        let growing: Vec<&str> = self.trends.iter().filter(|trend| !trend.is_flat()).map(|trend| trend.name).collect();
        ensure!(growing.is_empty(), "memory or descriptors grow: {}", growing.join(", "));
        Ok(())
    }

    pub(super) fn record(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let time = command::output(Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"]))?;
        let path = workspace.root().join(RESULTS);
        let mut file = OpenOptions::new().append(true).open(&path).with_context(|| format!("cannot open {RESULTS}"))?;
        write!(file, "\n## {}\n\n{}", time.trim(), self.table())?;
        Ok(())
    }

    fn table(&self) -> String {
        let Figures { length, rate, calls, churned, faults, store } = &self.figures;
        let minutes = length.as_secs() / 60;
        let mut text =
            format!("### Soak, {minutes} minutes, {store}\n\n| what | figure | target | |\n|---|---|---|---|\n");
        let mut row = |what: &str, figure: String, target: &str, met: Option<bool>| {
            let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
            text.push_str(&format!("| {what} | {figure} | {target} | {met} |\n"));
        };
        row("load on the metadata services", format!("{rate} requests/s"), "half of what the load reached", None);
        row("calls", calls.asked.to_string(), "", None);
        row("failed, while nothing excuses it", self.failed.to_string(), "0", Some(self.failed == 0));
        row("failed at a node that was killed, until it was back", self.excused.to_string(), "", None);
        row("slowest call", format!("{} ms", calls.slowest.as_millis()), "", None);
        row("changes of groups and instances", churned.to_string(), "", None);
        row("faults", faults.to_string(), "", None);
        row("tokens verified", self.verified.to_string(), "", None);
        row("tokens refused", self.refused.len().to_string(), "0", Some(self.refused.is_empty()));
        for trend in &self.trends {
            let (before, after) = trend.resident_kib;
            let figure = format!(
                "{} to {} MiB, {} to {} descriptors",
                before / 1024,
                after / 1024,
                trend.descriptors.0,
                trend.descriptors.1
            );
            row(&format!("{}, second half", trend.name), figure, "flat", Some(trend.is_flat()));
        }
        text
    }
}
