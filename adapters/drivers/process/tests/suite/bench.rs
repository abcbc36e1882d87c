// SPDX-License-Identifier: Apache-2.0
//! A driver with a directory of its own, and eyes on the machine's processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cress_domain::InstanceId;
use cress_driver::{Driver, Launch, Running};
use cress_driver_process::{Network, ProcessDriver, ProcessDriverConfig, SupervisorCommand};

use crate::random::Urandom;

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_cress-driver-process-tests");
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) driver: ProcessDriver,
    pub(crate) directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(network: Network) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path().join("driver"));
        config.network = network;
        Self { driver: ProcessDriver::new(config), directory }
    }

    pub(crate) async fn instance(&self) -> InstanceId {
        let id = InstanceId::generate(&Urandom);
        self.driver.prepare(id).await.unwrap();
        id
    }

    pub(crate) async fn start(&self, id: InstanceId, command: &[&str]) -> Running {
        self.driver.start(id, launch(command)).await.unwrap()
    }

    /// Starts a shell script in which `TOKEN` stands for a number that no other process has among its arguments.
    pub(crate) async fn start_marked(&self, script: &str) -> (InstanceId, Running, Token) {
        let (id, token) = (self.instance().await, Token::new());
        let running = self.start(id, &["sh", "-c", &token.put_into(script)]).await;
        (id, running, token)
    }

    pub(crate) fn log(&self, id: InstanceId) -> String {
        fs::read_to_string(self.driver.log_file(id)).unwrap()
    }
}

pub(crate) fn config(directory: PathBuf) -> ProcessDriverConfig {
    let supervisor = SupervisorCommand { program: HELPER.into(), arguments: vec!["supervise".to_owned()] };
    ProcessDriverConfig::new(supervisor, directory)
}

pub(crate) fn launch(command: &[&str]) -> Launch {
    let command = command.iter().map(|part| (*part).to_owned()).collect();
    Launch::new(command, BTreeMap::new(), Duration::from_millis(500))
}

/// Seconds for `sleep` that tell a test's processes from all others.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new() -> Self {
        let id = InstanceId::generate(&Urandom);
        let number = id.as_bytes().iter().fold(0_u64, |number, byte| (number << 3) ^ u64::from(*byte));
        Self(format!("99{number:020}"))
    }

    pub(crate) fn put_into(&self, script: &str) -> String {
        script.replace("TOKEN", &self.0)
    }

    /// The `sleep`s of this test.
    pub(crate) fn sleepers(&self) -> Vec<i32> {
        let is_ours = |process: &i32| {
            let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            arguments == format!("sleep\0{}\0", self.0).into_bytes()
        };
        processes().into_iter().filter(is_ours).collect()
    }

    pub(crate) async fn wait_for_sleepers(&self, count: usize) -> Vec<i32> {
        wait_until(&format!("{count} sleepers"), || self.sleepers().len() == count).await;
        self.sleepers()
    }
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A field of /proc/<process>/status.
pub(crate) fn status(process: i32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    value.trim().to_owned()
}

pub(crate) fn parent(process: i32) -> i32 {
    status(process, "PPid").parse().unwrap()
}

pub(crate) fn kill(process: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).unwrap();
}

pub(crate) fn is_alive(process: i32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

pub(crate) async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, poll).await.is_ok(), "waited in vain for {what}");
}
