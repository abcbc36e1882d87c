// SPDX-License-Identifier: Apache-2.0
//! Control and nodes as processes of their own.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Program, base_port, cress, eventually, get};

/// A control, with its ports and directory; it may be stopped and started again.
#[derive(Debug)]
pub struct Control {
    directory: TempDir,
    base_port: u16,
    environment: Vec<(String, String)>,
    program: Option<Program>,
}

/// A node, with its ports and directory.
#[derive(Debug)]
pub struct Node {
    directory: PathBuf,
    base_port: u16,
    control_port: u16,
    join_token: PathBuf,
    arguments: Vec<String>,
    program: Option<Program>,
}

impl Control {
    /// Starts one and waits until it is ready.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with these environment variables, such as `CRESS_CONTROL_STORE__URL`, now and whenever it is started again.
    ///
    /// # Panics
    /// If there is no room for its directory.
    #[must_use]
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let mut control = Self::new(environment);
        control.start_again();
        control
    }

    /// One with these environment variables that has not been started.
    ///
    /// # Panics
    /// If there is no room for its directory.
    #[must_use]
    pub fn new(environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, base_port: base_port(), environment, program: None }
    }

    /// Starts it again with the same directory and ports.
    pub fn start_again(&mut self) {
        self.spawn();
        let ready = format!("{}/readyz", self.url());
        eventually("control to be ready", || get(&ready, &[]).ok().filter(|answer| answer.status == 200));
    }

    /// The same without waiting for anything.
    pub fn spawn(&mut self) {
        let [listen, node_api, metrics] = [0, 1, 10].map(|offset| format!("127.0.0.1:{}", self.base_port + offset));
        let data_dir = self.data_dir().display().to_string();
        let mut command = cress(&[
            "control",
            "--data-dir",
            &data_dir,
            "--listen",
            &listen,
            "--node-api-listen",
            &node_api,
            "--metrics-listen",
            &metrics,
        ]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.program = Some(Program::start(command, &self.directory.path().join("control.log")));
    }

    /// Base URL of the public API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.base_port)
    }

    /// Port of the node API.
    #[must_use]
    pub const fn node_port(&self) -> u16 {
        self.base_port + 1
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A directory of the test's own.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("a running control")
    }

    /// Runs `cress admin` on it.
    ///
    /// # Panics
    /// If it fails.
    pub fn admin(&self, arguments: &[&str]) -> Value {
        let data_dir = self.data_dir().display().to_string();
        let mut all = vec!["admin", "--json", "--data-dir", &data_dir];
        all.extend(arguments);
        let output = cress(&all).output().expect("cress admin");
        assert!(output.status.success(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.stdout.is_empty() { Value::Null } else { serde_json::from_slice(&output.stdout).unwrap() }
    }

    /// Makes the container group `acme/default/<name>` with this definition, and what it needs.
    ///
    /// # Panics
    /// If control refuses it.
    pub fn create_group(&self, name: &str, definition: &Value) -> Value {
        if self.admin(&["organizations", "list"]).as_array().is_some_and(Vec::is_empty) {
            self.admin(&["organizations", "create", "acme"]);
            self.admin(&["projects", "create", "--organization", "acme", "default"]);
        }
        let file = self.directory.path().join(format!("{name}.json"));
        std::fs::write(&file, definition.to_string()).unwrap();
        let file = file.display().to_string();
        self.admin(&["groups", "create", "--organization", "acme", "--project", "default", "--file", &file, name])
    }

    /// A node of this control, invited and started. `arguments` follow those that every node needs.
    ///
    /// # Panics
    /// If it cannot be invited.
    #[must_use]
    pub fn start_node(&self, arguments: &[&str]) -> Node {
        self.start_node_behind(self.node_port(), arguments)
    }

    /// As [`Self::start_node`], but the node reaches control at another port.
    ///
    /// # Panics
    /// If it cannot be invited.
    #[must_use]
    pub fn start_node_behind(&self, control_port: u16, arguments: &[&str]) -> Node {
        self.start_invited_node(&[], control_port, arguments)
    }

    /// As [`Self::start_node`], invited with these arguments.
    ///
    /// # Panics
    /// If it cannot be invited.
    #[must_use]
    pub fn start_node_invited(&self, invitation: &[&str]) -> Node {
        self.start_invited_node(invitation, self.node_port(), &[])
    }

    fn start_invited_node(&self, invitation: &[&str], control_port: u16, arguments: &[&str]) -> Node {
        let base_port = base_port();
        let directory = self.directory.path().join(format!("node-{base_port}"));
        std::fs::create_dir(&directory).unwrap();
        let join_token = directory.join("join-token");
        let arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        let mut node = Node { directory, base_port, control_port, join_token, arguments, program: None };
        node.invite(self, invitation);
        node.start_again();
        node
    }
}

impl Node {
    /// Gives it a fresh join token, for its next start.
    ///
    /// # Panics
    /// If it cannot be invited.
    pub fn invite(&self, control: &Control, arguments: &[&str]) {
        let invitation = control.admin(&[&["nodes", "invite"], arguments].concat());
        std::fs::write(&self.join_token, invitation["join_token"].as_str().expect("a join token")).unwrap();
    }

    /// A copy of its disk, on another machine that runs too.
    ///
    /// # Panics
    /// If it cannot be copied.
    #[must_use]
    pub fn start_copy(&self) -> Self {
        let base_port = base_port();
        let directory = self.directory.with_file_name(format!("node-{base_port}"));
        std::fs::create_dir_all(directory.join("data")).unwrap();
        for name in ["data/node-key.pem", "data/membership.json", "join-token"] {
            std::fs::copy(self.directory.join(name), directory.join(name)).unwrap();
        }
        let (control_port, join_token) = (self.control_port, directory.join("join-token"));
        let mut copy = Self { directory, base_port, control_port, join_token, arguments: Vec::new(), program: None };
        copy.start_again();
        copy
    }

    /// Starts it again with the same directory and ports.
    pub fn start_again(&mut self) {
        let data_dir = self.directory.join("data").display().to_string();
        let control = format!("https://127.0.0.1:{}", self.control_port);
        let join_token = self.join_token.display().to_string();
        let mut all = vec![
            "node",
            "--data-dir",
            &data_dir,
            "--control",
            &control,
            "--join-token-file",
            &join_token,
            "--process-driver-without-isolation",
        ];
        all.extend(self.arguments.iter().map(String::as_str));
        let mut command = cress(&all);
        command.env("CRESS_NODE_IMDS__BASE_PORT", self.base_port.to_string());
        command.env("CRESS_NODE_METRICS__LISTEN", format!("127.0.0.1:{}", self.base_port + 40));
        self.program = Some(Program::start(command, &self.directory.join("node.log")));
    }

    /// The metadata service of its instance with this index, if the instance is there.
    #[must_use]
    pub fn imds(&self, index: u16) -> String {
        format!("http://127.0.0.1:{}", self.base_port + index)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("a running node")
    }
}
