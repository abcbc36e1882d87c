// SPDX-License-Identifier: Apache-2.0
//! cargo-fuzz, which knows with which flags fuzz targets are built.

use std::path::PathBuf;

use super::install_once;
use crate::command;
use crate::workspace::Workspace;

const VERSION: &str = "0.13.2";

/// Installs it unless it is there; the folder with the program.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = workspace.tools().join("cargo-fuzz");
    install_once(&folder, VERSION, || {
        let mut cargo =
            command::cargo(workspace, &["install", "--quiet", "--locked", "--version", VERSION, "cargo-fuzz"]);
        command::run(cargo.arg("--root").arg(&folder))
    })?;
    Ok(folder.join("bin"))
}
