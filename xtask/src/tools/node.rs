// SPDX-License-Identifier: Apache-2.0
//! Packages of npm: an independent verifier, and the published metadata SDK.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::install_once;
use crate::command;

const PACKAGES: [&str; 2] = ["jose@6.2.18", "@saladtechnologies-oss/salad-cloud-imds-sdk@0.9.0-alpha.6"];

/// What npm wants to find in a folder before it installs into it and not into a folder above.
const MANIFEST: &str = "{\"private\":true,\"type\":\"module\"}\n";

/// Where the packages are.
pub(crate) fn modules(tools: &Path) -> PathBuf {
    folder(tools).join("node_modules")
}

/// Installs them unless they are there.
pub(crate) fn install(tools: &Path) -> anyhow::Result<()> {
    let folder = folder(tools);
    install_once(&folder, &PACKAGES.join("\n"), || {
        let manifest = folder.join("package.json");
        fs::write(&manifest, MANIFEST).with_context(|| format!("cannot write {}", manifest.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund"]).args(PACKAGES).current_dir(&folder);
        command::run(&mut npm)
    })
}

fn folder(tools: &Path) -> PathBuf {
    tools.join("node")
}
