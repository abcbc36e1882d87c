// SPDX-License-Identifier: Apache-2.0
//! Whole programs in wheels of PyPI, each set in an environment of its own.

use std::path::Path;
use std::process::Command;

use super::install_once;
use crate::command;

/// Installs wheels of these exact versions, and nothing that they depend on, unless they are there. Programs come to lie in `bin`.
pub(super) fn install(folder: &Path, wheels: &[&str]) -> anyhow::Result<()> {
    install_once(folder, &wheels.join("\n"), || {
        command::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        command::run(pip.args(wheels))
    })
}
