// SPDX-License-Identifier: Apache-2.0
//! `cress up` as a test's background.

use std::path::{Path, PathBuf};

use cress_api::endpoints::Endpoints;
use tempfile::TempDir;

use crate::{Finished, Program, base_port, cress, eventually};

/// How `cress up` is started.
#[derive(Debug)]
pub struct Up {
    directory: TempDir,
    base_port: u16,
}

/// A `cress up` that runs.
#[derive(Debug)]
pub struct Stack {
    /// Where everything is.
    pub endpoints: Endpoints,
    /// The process.
    pub program: Program,
}

impl Up {
    /// One with a fresh data directory and free ports.
    ///
    /// # Panics
    /// If there is no room for the directory.
    #[must_use]
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), base_port: base_port() }
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A directory of the test's own, beside the data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The first port.
    #[must_use]
    pub const fn base_port(&self) -> u16 {
        self.base_port
    }

    /// Starts it, without waiting for anything.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str]) -> Program {
        let data_dir = self.data_dir().display().to_string();
        let port = self.base_port.to_string();
        let mut all = vec!["up", "--data-dir", &data_dir, "--base-port", &port];
        all.extend(arguments);
        Program::start(cress(&all), &self.directory.path().join("up.log"))
    }

    /// Starts it and waits until it says that everything runs.
    ///
    /// # Panics
    /// If it ends instead.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Stack {
        let file = self.data_dir().join("endpoints.json");
        // A killed process leaves it behind, and the next one needs a moment to remove it.
        let _absent = std::fs::remove_file(&file);
        let mut program = self.spawn(arguments);
        let endpoints = eventually("endpoints.json", || {
            let ended = program.ended();
            assert!(ended.is_none(), "cress up ended with {ended:?}: {}", program.output());
            let text = std::fs::read(&file).ok()?;
            Some(serde_json::from_slice(&text).expect("well-formed endpoints"))
        });
        Stack { endpoints, program }
    }

    /// Runs `cress admin` on it.
    ///
    /// # Panics
    /// If it fails.
    pub fn admin(&self, arguments: &[&str]) -> serde_json::Value {
        let data_dir = self.data_dir().display().to_string();
        let mut all = vec!["admin", "--json", "--data-dir", &data_dir];
        all.extend(arguments);
        let output = cress(&all).output().expect("cress admin");
        assert!(output.status.success(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.stdout.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(&output.stdout).unwrap() }
    }
}

impl Default for Up {
    fn default() -> Self {
        Self::new()
    }
}

impl Stack {
    /// The metadata service of the instance with this index.
    #[must_use]
    pub fn imds(&self, index: usize) -> &str {
        &self.endpoints.instances.get(index).expect("an instance").imds
    }

    /// Stops it as Ctrl-C does.
    pub fn stop(mut self) -> Finished {
        self.program.interrupt()
    }
}
