// SPDX-License-Identifier: Apache-2.0
//! A Redis server to make accounts at.

use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use crate::processes::{Process, wait_for};

const PORT: u16 = 33_430;

/// A server in a directory of its own, which ends with this value.
pub(super) struct Redis {
    _process: Process,
    _directory: TempDir,
    pub(super) port: u16,
    pub(super) password: &'static str,
}

impl Redis {
    pub(super) fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let password = "bench";
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &PORT.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--requirepass",
            password,
            "--dir",
        ]);
        let process = Process::start({
            command.arg(directory.path());
            command
        })?;
        wait_for("Redis to answer", || std::net::TcpStream::connect(("127.0.0.1", PORT)).is_ok())?;
        Ok(Self { _process: process, _directory: directory, port: PORT, password })
    }

    /// How many accounts there are, its own one too.
    pub(super) fn accounts(&self) -> anyhow::Result<usize> {
        let mut client = Command::new("redis-cli");
        client.args(["-p", &self.port.to_string(), "--no-auth-warning", "-a", self.password, "ACL", "USERS"]);
        let output = client.output().context("redis-cli")?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().count())
    }
}
