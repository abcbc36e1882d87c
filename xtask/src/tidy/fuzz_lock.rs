// SPDX-License-Identifier: Apache-2.0
//! The lock file of the fuzz targets, a workspace of its own: it must follow what our packages depend on.

use super::Finding;
use crate::command;
use crate::workspace::Workspace;

const MANIFEST: &str = "fuzz/Cargo.toml";
const LOCK: &str = "fuzz/Cargo.lock";

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let outcome = command::output(&mut metadata(workspace, &["--locked"]));
    let stale = |_| Finding::new(LOCK, "is out of date: run `cargo xtask tidy --write`");
    outcome.err().map(stale).into_iter().collect()
}

/// Adds what is missing and leaves all else as it is.
pub(super) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    command::output(&mut metadata(workspace, &[])).map(drop)
}

fn metadata(workspace: &Workspace, more: &[&str]) -> std::process::Command {
    let mut cargo = command::cargo(workspace, &["metadata", "--format-version", "1", "--manifest-path", MANIFEST]);
    cargo.args(more);
    cargo
}
