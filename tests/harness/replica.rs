// SPDX-License-Identifier: Apache-2.0
//! One of any number of control processes: with settings of its own, and allowed to end when nobody asked it to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::{Program, cress, eventually, get};

/// A control that a test may set up, kill and copy as it likes.
#[derive(Debug)]
pub struct Replica {
    directory: PathBuf,
    base_port: u16,
    environment: BTreeMap<String, String>,
    program: Option<Program>,
}

impl Replica {
    /// One that keeps its data in `data` below this directory. It does not run yet.
    #[must_use]
    pub fn new(directory: &Path, base_port: u16) -> Self {
        Self { directory: directory.to_owned(), base_port, environment: BTreeMap::new(), program: None }
    }

    /// Sets an environment variable for its next start.
    pub fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.insert(variable.to_owned(), value.into());
    }

    /// Starts it, without waiting for anything.
    pub fn spawn(&mut self) {
        let [listen, node_api, metrics] = [0, 1, 10].map(|offset| format!("127.0.0.1:{}", self.base_port + offset));
        let data_dir = self.data_dir().display().to_string();
        let mut command = cress(&["control", "--data-dir", &data_dir, "--listen", &listen]);
        command.args(["--node-api-listen", &node_api, "--metrics-listen", &metrics]).envs(&self.environment);
        self.program = Some(Program::start(command, &self.directory.join("control.log")));
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn start(&mut self) {
        assert!(self.try_start(), "control has ended: {}", self.output());
    }

    /// Starts it, and says whether it became ready; else it has ended.
    pub fn try_start(&mut self) -> bool {
        self.spawn();
        let ready = format!("{}/readyz", self.url());
        eventually("control to be ready or to end", || {
            if self.has_ended() {
                return Some(false);
            }
            get(&ready, &[]).ok().filter(|answer| answer.status == 200).map(|_| true)
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_none_or(|program| program.ended().is_some())
    }

    /// The process.
    ///
    /// # Panics
    /// If it was never started.
    pub fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("a control that was started")
    }

    /// What it has printed since its last start.
    #[must_use]
    pub fn output(&self) -> String {
        self.program.as_ref().map(Program::output).unwrap_or_default()
    }

    /// Base URL of the public API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.base_port)
    }

    /// URL of its key set.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/workload-jwks.json", self.url())
    }

    /// URL of its metrics.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.base_port + 10)
    }

    /// Port of the node API.
    #[must_use]
    pub const fn node_port(&self) -> u16 {
        self.base_port + 1
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The directory that its data directory lies in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The ids of the keys in its key set, in order.
    ///
    /// # Panics
    /// If it publishes none.
    #[must_use]
    pub fn published(&self) -> Vec<String> {
        let answer = get(&self.jwks_url(), &[]).expect("a key set");
        let keys = answer.json()["keys"].as_array().cloned().unwrap_or_else(|| panic!("expected keys: {answer:?}"));
        keys.iter().map(|key| key["kid"].as_str().expect("a key id").to_owned()).collect()
    }

    /// Runs `cress admin` on it.
    ///
    /// # Errors
    /// What the command said.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.admin_output(arguments);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let nothing = output.stdout.is_empty();
        Ok(if nothing { Value::Null } else { serde_json::from_slice(&output.stdout).expect("JSON") })
    }

    /// The same, which must succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn admin(&self, arguments: &[&str]) -> Value {
        self.ask(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    fn admin_output(&self, arguments: &[&str]) -> Output {
        let data_dir = self.data_dir().display().to_string();
        let all = [&["admin", "--json", "--data-dir", &data_dir], arguments].concat();
        cress(&all).output().expect("cress admin")
    }

    /// The items of a list of `cress admin`.
    ///
    /// # Errors
    /// What the command said.
    pub fn list(&self, what: &str) -> Result<Vec<Value>, String> {
        Ok(self.ask(&[what, "list"])?.as_array().cloned().unwrap_or_default())
    }

    /// Makes the container group `acme/default/<name>` with this definition, and what it needs.
    ///
    /// # Errors
    /// What the command said.
    ///
    /// # Panics
    /// If the definition cannot be written to a file.
    pub fn create_group(&self, name: &str, definition: &Value) -> Result<Value, String> {
        if self.list("organizations")?.is_empty() {
            self.ask(&["organizations", "create", "acme"])?;
        }
        if self.ask(&["projects", "list", "--organization", "acme"])?.as_array().is_some_and(Vec::is_empty) {
            self.ask(&["projects", "create", "--organization", "acme", "default"])?;
        }
        let file = self.directory.join(format!("{name}.json"));
        std::fs::write(&file, definition.to_string()).expect("a file for the definition");
        let file = file.display().to_string();
        self.ask(&["groups", "create", "--organization", "acme", "--project", "default", "--file", &file, name])
    }

    /// A node that joins here (or has joined) with the token in `join-token` of its directory, which must be there.
    #[must_use]
    pub fn start_node(&self, directory: &Path, environment: &[(&str, &str)]) -> Program {
        self.start_node_at(directory, self.base_port + 20, environment)
    }

    /// As [`Self::start_node`], with its metadata services from this port on and its metrics at the ninth after it.
    #[must_use]
    pub fn start_node_at(&self, directory: &Path, imds_port: u16, environment: &[(&str, &str)]) -> Program {
        let [data_dir, token] = ["data", "join-token"].map(|name| directory.join(name).display().to_string());
        let control = format!("https://127.0.0.1:{}", self.node_port());
        let mut command = cress(&["node", "--data-dir", &data_dir, "--control", &control]);
        command.args(["--join-token-file", &token, "--process-driver-without-isolation"]);
        command.env("CRESS_NODE_IMDS__BASE_PORT", imds_port.to_string());
        command.env("CRESS_NODE_METRICS__LISTEN", format!("127.0.0.1:{}", imds_port + 9));
        command.envs(environment.iter().copied());
        Program::start(command, &directory.join("node.log"))
    }
}
