// SPDX-License-Identifier: Apache-2.0
//! Packages of npm: an independent verifier, the published metadata SDK, and what the guides show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::install_once;
use crate::command;

/// One folder of packages.
pub(crate) struct Environment {
    /// Its folder in `target/tools`.
    folder: &'static str,
    packages: &'static [&'static str],
    /// The environment variable that tells the tests where its packages are.
    pub(crate) variable: &'static str,
}

/// All of them.
pub(crate) const ENVIRONMENTS: &[Environment] = &[
    Environment {
        folder: "node",
        packages: &["jose@6.2.18", "@saladtechnologies-oss/salad-cloud-imds-sdk@0.9.0-alpha.6"],
        variable: "CRESS_TEST_NODE_MODULES",
    },
    Environment {
        folder: "node-guides",
        packages: &["express@5.3.0", "jose@6.2.18"],
        variable: "CRESS_TEST_NODE_MODULES_GUIDES",
    },
];

/// What npm wants to find in a folder before it installs into it and not into a folder above.
const MANIFEST: &str = "{\"private\":true,\"type\":\"module\"}\n";

impl Environment {
    /// Where the packages are.
    pub(crate) fn modules(&self, tools: &Path) -> PathBuf {
        tools.join(self.folder).join("node_modules")
    }

    /// Installs them unless they are there.
    pub(crate) fn install(&self, tools: &Path) -> anyhow::Result<()> {
        let folder = tools.join(self.folder);
        install_once(&folder, &self.packages.join("\n"), || {
            let manifest = folder.join("package.json");
            fs::write(&manifest, MANIFEST).with_context(|| format!("cannot write {}", manifest.display()))?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund"]).args(self.packages).current_dir(&folder);
            command::run(&mut npm)
        })
    }
}
