// SPDX-License-Identifier: Apache-2.0
//! The clean-up on Linux. Orphans are handed to this process, so that whatever the tests started is below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// Namespaces that tests make have names that begin so.
const NAMESPACE_PREFIX: &str = "cress-";
const NAMESPACES: &str = "/run/netns";
const PAUSE: Duration = Duration::from_millis(50);
/// Three seconds.
const ENDS_WITHIN_PAUSES: u32 = 60;

/// What was there before.
pub(crate) struct Cleanup {
    processes: BTreeSet<i32>,
    namespaces: BTreeSet<String>,
}

impl Cleanup {
    pub(crate) fn begin() -> anyhow::Result<Self> {
        set_child_subreaper(true).context("cannot take over the orphans of the tests")?;
        Ok(Self { processes: descendants(&parents()), namespaces: namespaces() })
    }

    /// Removes what came since, and says what it was.
    pub(crate) fn finish(self) -> Vec<String> {
        self.let_end();
        let mut left_over = Vec::new();
        for process in descendants(&parents()).difference(&self.processes) {
            left_over.extend(end(*process));
        }
        for namespace in namespaces().difference(&self.namespaces) {
            let removed = Command::new("ip").args(["netns", "delete", namespace]).status();
            let remark = if removed.is_ok_and(|status| status.success()) { "" } else { " (still there)" };
            left_over.push(format!("namespace {namespace}{remark}"));
        }
        left_over
    }

    /// What ends by itself as soon as it sees that its test has ended gets a moment for it, such as a database that is thrown away.
    fn let_end(&self) {
        for _ in 0..ENDS_WITHIN_PAUSES {
            if descendants(&parents()).difference(&self.processes).all(|process| command_line(*process).is_empty()) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Empty if it is gone, or dead and not yet waited for.
fn command_line(process: i32) -> Vec<u8> {
    fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()
}

/// Ends it, and says what it was if it was still alive.
fn end(process: i32) -> Option<String> {
    let words = command_line(process);
    let _gone_already = kill(Pid::from_raw(process), Signal::SIGKILL);
    let _not_a_child = waitpid(Pid::from_raw(process), None);
    let shown = String::from_utf8_lossy(&words).replace('\0', " ");
    (!words.is_empty()).then(|| format!("process {process} ({})", shown.trim()))
}

/// Every process, and its parent.
fn parents() -> BTreeMap<i32, i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    processes
        .filter_map(|process| Some((process, parent_in(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?)))
        .collect()
}

/// The parent in a line of `/proc/<pid>/stat`: the second word behind the name, which may itself hold anything.
fn parent_in(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Every process below this one.
fn descendants(parents: &BTreeMap<i32, i32>) -> BTreeSet<i32> {
    let mut found = BTreeSet::from([Pid::this().as_raw()]);
    loop {
        let more: BTreeSet<i32> =
            parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(process, _)| *process).collect();
        if more.is_subset(&found) {
            break;
        }
        found.extend(more);
    }
    found.remove(&Pid::this().as_raw());
    found
}

fn namespaces() -> BTreeSet<String> {
    let entries = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(NAMESPACE_PREFIX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        for (stat, parent) in [("7 (sleep) S 3 7", Some(3)), ("7 (a) b (c) S 9 1", Some(9)), ("7 (sleep", None)] {
            assert_eq!(parent_in(stat), parent, "{stat}");
        }
    }

    #[test]
    fn an_orphan_is_found_ended_and_named() {
        let cleanup = Cleanup { processes: descendants(&parents()), namespaces: namespaces() };
        set_child_subreaper(true).unwrap();
        let orphan = Command::new("sh").args(["-c", "sleep 1234 >/dev/null 2>&1 & echo $!"]).output().unwrap();
        let orphan: i32 = String::from_utf8(orphan.stdout).unwrap().trim().parse().unwrap();

        let left_over = cleanup.finish();

        assert!(left_over.contains(&format!("process {orphan} (sleep 1234)")), "{left_over:?}");
        assert!(!parents().contains_key(&orphan));
    }
}
