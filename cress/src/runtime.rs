// SPDX-License-Identifier: Apache-2.0
//! The asynchronous runtime, and the wait for a role's end.

use std::process::ExitCode;

use anyhow::Context;
use cress_service::Shutdown;
use cress_service::shutdown::Drained;
use tokio::runtime::{Builder, Runtime};

/// A runtime on all cores, for a role.
pub(crate) fn of_role() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime's threads")
}

/// A runtime on this thread, for one command.
pub(crate) fn of_command() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// Waits until the process is asked to stop, or a vital task ends, and everything at hand is done. Who supervises the
/// process starts it again by its exit code, so a stop that nobody asked for is a failure.
pub(crate) async fn until_stopped(shutdown: &Shutdown) -> ExitCode {
    shutdown.requested().await;
    let drained = exit_code(shutdown.drain().await);
    match shutdown.failed_task() {
        Some(task) => {
            tracing::error!(task, "stopped because this task had ended");
            ExitCode::FAILURE
        }
        None => drained,
    }
}

/// What a drain's outcome means to whoever started the process.
pub(crate) fn exit_code(drained: Drained) -> ExitCode {
    match drained {
        Drained::Complete => ExitCode::SUCCESS,
        Drained::Abandoned { tasks } => {
            tracing::warn!(tasks, "stopped with work at hand: the drain deadline has passed");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_that_nobody_asked_for_is_a_failure() {
        let shutdown = Shutdown::default();
        shutdown.spawn_vital("vital", async {});
        assert_eq!(until_stopped(&shutdown).await, ExitCode::FAILURE);

        let shutdown = Shutdown::default();
        shutdown.spawn_vital("vital", shutdown.requested());
        shutdown.request();
        assert_eq!(until_stopped(&shutdown).await, ExitCode::SUCCESS);
    }
}
