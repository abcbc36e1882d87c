// SPDX-License-Identifier: Apache-2.0
//! A node of a test's own, with the process driver.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cress_client::ImdsClient;
use cress_domain::{Clock, InstanceId};
use cress_driver::Driver;
use cress_driver_process::{Network, ProcessDriver, ProcessDriverConfig};
use cress_node::{Config, InstanceState, InstanceSummary, Ports, StartError, Started, start};
use cress_service::{Shutdown, SystemClock, SystemRandom};
use tempfile::TempDir;

use crate::control::Control;
use crate::supervise;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running node.
pub(crate) struct Node {
    pub(crate) started: Started,
    shutdown: Shutdown,
}

/// Everything that a node is started from; its directory stays over its restarts.
pub(crate) struct Setup {
    pub(crate) directory: TempDir,
    pub(crate) config: Config,
    pub(crate) network: Network,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Setup {
    pub(crate) fn of(control: &Control) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path().join("node"), control.url());
        config.join_token = Some(control.join_token());
        config.metrics.listen = "127.0.0.1:0".parse().unwrap();
        config.drain_seconds = 5;
        // Each test has ports of its own to begin with; who comes first gets them.
        config.imds.base_port = free_port();
        Self { directory, config, network: Network::Host, clock: Arc::new(SystemClock::new()) }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn start(&self) -> Node {
        self.try_to_start(&Shutdown::new(Duration::from_secs(20))).await.unwrap()
    }

    pub(crate) async fn try_to_start(&self, shutdown: &Shutdown) -> Result<Node, StartError> {
        self.try_to_start_with(Arc::new(self.driver()), shutdown).await
    }

    pub(crate) async fn start_with(&self, driver: Arc<dyn Driver>) -> Node {
        self.try_to_start_with(driver, &Shutdown::new(Duration::from_secs(20))).await.unwrap()
    }

    pub(crate) fn driver(&self) -> ProcessDriver {
        let mut driver = ProcessDriverConfig::new(supervise::command(), self.path("driver"));
        driver.network = self.network;
        ProcessDriver::new(driver)
    }

    async fn try_to_start_with(&self, driver: Arc<dyn Driver>, shutdown: &Shutdown) -> Result<Node, StartError> {
        let ports = Ports {
            clock: Arc::clone(&self.clock),
            random: Arc::new(SystemRandom),
            shutdown: shutdown.clone(),
            driver,
        };
        let started = start(self.config.clone(), ports).await?;
        Ok(Node { started, shutdown: shutdown.clone() })
    }
}

impl Node {
    /// Stops as a signal would have it, and waits for its end.
    pub(crate) async fn stop(self) {
        self.shutdown.request();
        assert_eq!(self.shutdown.drain().await, cress_service::shutdown::Drained::Complete);
    }

    pub(crate) fn instance(&self, id: InstanceId) -> Option<InstanceSummary> {
        self.started.instances.borrow().iter().find(|summary| summary.instance_id == id).cloned()
    }

    pub(crate) fn state(&self, id: InstanceId) -> Option<InstanceState> {
        self.instance(id).map(|summary| summary.state)
    }

    /// Waits until an instance does this.
    pub(crate) async fn wait_for(&self, id: InstanceId, state: InstanceState) -> InstanceSummary {
        let mut instances = self.started.instances.clone();
        let is_so =
            |all: &Vec<InstanceSummary>| all.iter().any(|summary| summary.instance_id == id && summary.state == state);
        let waited = tokio::time::timeout(PATIENCE, instances.wait_for(is_so)).await.map(drop);
        assert!(waited.is_ok(), "waited in vain for {state:?}, found {:?}", self.instance(id));
        self.instance(id).unwrap()
    }

    /// Waits until an instance is gone.
    pub(crate) async fn wait_for_end(&self, id: InstanceId) {
        until("the end of an instance", || self.instance(id).is_none()).await;
    }

    pub(crate) fn imds(&self, id: InstanceId) -> ImdsClient {
        ImdsClient::new(&self.instance(id).unwrap().imds).unwrap()
    }

    pub(crate) async fn token(&self, id: InstanceId) -> String {
        self.imds(id).token(None).await.unwrap().expose().clone()
    }

    pub(crate) async fn metrics(&self) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.started.metrics).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

/// A definition that runs this shell script.
pub(crate) fn script(script: &str, more: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    format!(r#"{{"replicas":1,"stop_grace_seconds":3,"command":["sh","-c",{script}]{more}}}"#)
}

pub(crate) const SLEEPER: &str = "exec sleep 1000";

/// Polls until this is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, poll).await.is_ok(), "waited in vain for {what}");
}

/// The text of a file that a process writes, as soon as it has so many lines.
pub(crate) async fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    until(&format!("{count} lines in {}", path.display()), || read().len() >= count).await;
    read()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
