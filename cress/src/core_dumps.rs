// SPDX-License-Identifier: Apache-2.0
//! Keeps what a process that holds others' secrets has in memory out of files, and away from debuggers of the same user.

/// From now on the kernel writes no core dump of this process, and lets nobody but root attach to it. What it starts is not affected.
#[cfg(target_os = "linux")]
pub(crate) fn forbid() -> anyhow::Result<()> {
    use anyhow::Context;
    nix::sys::prctl::set_dumpable(false).context("cannot forbid core dumps, which would hold secrets")
}

/// From now on no core dump of this process is written, nor of what it starts.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn forbid() -> anyhow::Result<()> {
    use anyhow::Context;
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("cannot forbid core dumps, which would hold secrets")
}

/// This system writes none unless it is told to.
#[cfg(not(unix))]
pub(crate) fn forbid() -> anyhow::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_taken_it() {
        forbid().unwrap();
        assert_eq!(nix::sys::prctl::get_dumpable(), Ok(false));
    }
}
