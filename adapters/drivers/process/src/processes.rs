// SPDX-License-Identifier: Apache-2.0
//! The machine's processes, as /proc tells them.

use std::collections::HashMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process at the moment of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// Ended, but its parent has not asked how.
    pub(crate) is_zombie: bool,
    /// Clock ticks since boot.
    pub(crate) started: u64,
}

impl Process {
    /// One process; none if there is no such.
    pub(crate) fn find(id: i32) -> Option<Self> {
        parse(id, &fs::read(format!("/proc/{id}/stat")).ok()?)
    }

    /// Sends a signal. That it is gone, or not ours to signal, is no error: the next look tells.
    pub(crate) fn signal(self, signal: Signal) {
        if self.id > 1 {
            let _gone = kill(Pid::from_raw(self.id), signal);
        }
    }
}

/// All processes. One that exists all the time of the call is among them; for others it is a matter of luck.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Process::find).collect()
}

/// Those of `all` that descend from `ancestor`, without itself.
pub(crate) fn descendants(ancestor: i32, all: &[Process]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        // Removed, so that a process id that was used again while looking cannot make a circle.
        let born = children.remove(&parent).unwrap_or_default();
        parents.extend(born.iter().map(|child| child.id));
        found.extend(born);
    }
    found
}

/// Reads proc_pid_stat(5): `id (name) state parent group ... start`. The name may contain anything, so the last bracket counts.
fn parse(id: i32, stat: &[u8]) -> Option<Process> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(stat.get(after_name..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?; // field 22 of the page
    Some(Process { id, parent, group, is_zombie: state == "Z", started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_confuse() {
        let stat = b"77 (a) R 1 1 (x) S 5 77 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9 9";
        assert_eq!(parse(77, stat), Some(Process { id: 77, parent: 5, group: 77, is_zombie: false, started: 4242 }));
        assert_eq!(parse(77, b"77 (x"), None);
        assert_eq!(parse(77, b"77 (x) S 1"), None);
    }

    #[test]
    fn this_process_is_among_its_parents_descendants() {
        let own = Process::find(std::process::id() as i32).unwrap();
        assert!(own.started > 0);
        assert!(descendants(own.parent, &all()).iter().any(|process| process.id == own.id));
    }

    #[test]
    fn a_circle_ends() {
        let process = |id, parent| Process { id, parent, group: 0, is_zombie: false, started: 0 };
        assert_eq!(descendants(1, &[process(2, 1), process(3, 2), process(2, 3), process(9, 8)]).len(), 3);
    }
}
