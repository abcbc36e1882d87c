// SPDX-License-Identifier: Apache-2.0
//! The number by which a process is known to belong to a run, whatever it does to its parents, group and environment.
//!
//! It lies in the soft limit RLIMIT_LOCKS, which children inherit and Linux ignores. From the highest bit: 0, 22 bits of the
//! supervisor's process id (the kernel's largest), 17 of its start time, 24 of a serial number.

use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

const SERIAL_BITS: u32 = 24;
const START_BITS: u32 = 17;
const PROCESS_BITS: u32 = 22;

/// The mark of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark(u64);

/// All marks of one supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Marks(u64);

impl Marks {
    /// The marks of the supervisor with this process id, started at this time (clock ticks since boot).
    pub(crate) const fn of_supervisor(process: u32, started: u64) -> Self {
        let process = (process as u64) & ((1 << PROCESS_BITS) - 1);
        let started = started & ((1 << START_BITS) - 1);
        Self((process << START_BITS) | started)
    }

    /// One of them; serial numbers repeat after 16 million.
    pub(crate) const fn mark(self, serial: u32) -> Mark {
        Mark((self.0 << SERIAL_BITS) | (serial as u64 & ((1 << SERIAL_BITS) - 1)))
    }

    /// Whether it is one of them.
    pub(crate) const fn contain(self, mark: Mark) -> bool {
        mark.0 >> SERIAL_BITS == self.0
    }
}

impl Mark {
    /// The mark of a process; none if it has none, or is gone.
    pub(crate) fn of_process(process: i32) -> Option<Self> {
        parse(&fs::read_to_string(format!("/proc/{process}/limits")).ok()?)
    }

    /// Puts the mark on the calling process, for children to inherit.
    pub(crate) fn put_on(self) -> io::Result<()> {
        let (_, hard) = getrlimit(Resource::RLIMIT_LOCKS)?;
        if hard < self.0 {
            return Err(io::Error::other(
                "the hard limit of file locks is too low; expected `ulimit -Hx` to be unlimited",
            ));
        }
        Ok(setrlimit(Resource::RLIMIT_LOCKS, self.0, hard)?)
    }

    /// Takes any mark off the calling process.
    pub(crate) fn take_off() -> io::Result<()> {
        let (_, hard) = getrlimit(Resource::RLIMIT_LOCKS)?;
        Ok(setrlimit(Resource::RLIMIT_LOCKS, hard, hard)?)
    }
}

/// Reads the soft limit from `Max file locks  <soft>  <hard>  locks`.
fn parse(limits: &str) -> Option<Mark> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().next()?.parse().ok().map(Mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::RLIM_INFINITY;

    #[test]
    fn a_mark_says_whose_it_is() {
        let ours = Marks::of_supervisor(4_194_303, u64::MAX);
        let others = Marks::of_supervisor(4_194_303, u64::MAX - 1);
        for serial in [0, 1, 0xff_ffff, u32::MAX] {
            assert!(ours.contain(ours.mark(serial)));
            assert!(!others.contain(ours.mark(serial)));
            assert!(ours.mark(serial).0 < RLIM_INFINITY);
        }
        assert_ne!(ours.mark(1), ours.mark(2));
    }

    #[test]
    fn the_kernels_table_is_understood() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                     Max locked memory         8388608              8388608              bytes     \n\
                     Max file locks            7                    unlimited            locks     \n";
        assert_eq!(parse(table), Some(Mark(7)));
        assert_eq!(parse(&table.replace("7  ", "unlimited  ")), None);
        assert_eq!(parse(""), None);
        assert_eq!(Mark::of_process(std::process::id() as i32), None, "this process is marked");
    }
}
