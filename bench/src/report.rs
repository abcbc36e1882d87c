// SPDX-License-Identifier: Apache-2.0
//! Figures as they are printed, and as they are kept.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::Context;
use cress_domain::Clock;
use cress_service::SystemClock;

const FILE: &str = "bench/RESULTS.md";

/// The figures of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
}

/// What a figure must not fall below, or not exceed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At least this.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// Nothing: a peer, or context.
    None,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Begins a section.
    pub(crate) fn section(&mut self, title: &str) {
        self.push(format!("\n### {title}\n\n| what | figure | target | |\n|---|---|---|---|"));
    }

    /// A figure in a unit; the target is in the same.
    pub(crate) fn figure(&mut self, what: &str, figure: f64, unit: &str, target: Target) {
        let shown = |figure: f64| match unit {
            "x" => format!("{figure:.2}"),
            "ms" | "s" => format!("{figure:.3}"),
            _ => thousands(figure),
        };
        let (wanted, met) = match target {
            Target::AtLeast(least) => (format!("at least {} {unit}", shown(least)), Some(figure >= least)),
            Target::Below(most) => (format!("below {} {unit}", shown(most)), Some(figure < most)),
            Target::None => (String::new(), None),
        };
        let verdict = met.map_or("", |met| if met { "met" } else { "**missed**" });
        self.push(format!("| {what} | {} {unit} | {wanted} | {verdict} |", shown(figure)));
    }

    /// Appends everything to the file of results, under the machine and the date.
    pub(crate) fn record(&self) -> anyhow::Result<()> {
        let date = SystemClock::new().now();
        let mut text = format!("\n## {date}\n\n{}\n", machine());
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        let mut file = OpenOptions::new().append(true).create(true).open(FILE).context(FILE)?;
        file.write_all(text.as_bytes()).context(FILE)
    }

    fn push(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
