// SPDX-License-Identifier: Apache-2.0
//! Which core runs what: the server has one to itself, the load the other.

use std::process::Command;

use anyhow::Context;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// The server's core.
pub(crate) const SERVER: usize = 0;
/// The load generator's core.
pub(crate) const LOAD: usize = 1;

/// Ties the calling thread, and those that it starts, to a core.
pub(crate) fn tie_thread(core: usize) -> anyhow::Result<()> {
    sched_setaffinity(Pid::from_raw(0), &set(core)?).context("cannot tie a thread to a core")
}

/// A command that runs on one core.
pub(crate) fn tied(core: usize, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string(), program]);
    command
}

fn set(core: usize) -> anyhow::Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(core).context("two cores are needed")?;
    Ok(set)
}
