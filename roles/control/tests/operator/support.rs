// SPDX-License-Identifier: Apache-2.0
//! A running control, a bare HTTP client, and a store of one's own beside it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cress_control::{Config, Ports, StartError, Started, start};
use cress_domain::{Clock, JoinTokenId, MachineId};
use cress_service::Shutdown;
use cress_service::shutdown::Drained;
use cress_store::control::{ControlStore, JoinOutcome, JoinRequest, NewJoinToken};
use cress_store::{Database, DatabaseUrl, KeyFingerprint, SecretHash};
use cress_testkit::{MockClock, SeededRandom};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

/// A control that was started for one test.
pub(crate) struct Control {
    pub(crate) started: Started,
    pub(crate) clock: Arc<MockClock>,
    shutdown: Shutdown,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A directory whose child is to be the data directory, so that the key beside it is removed too.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A configuration on free ports of loopback.
pub(crate) fn config(directory: &TempDir) -> Config {
    let mut config = Config::new(directory.path().join("data"));
    let any_port = "127.0.0.1:0".parse().unwrap();
    config.listen = any_port;
    config.node_api.listen = any_port;
    config.metrics.listen = any_port;
    config.issuer = Some("https://matrix-api.salad.io".parse().unwrap());
    config
}

pub(crate) async fn try_start(config: Config, clock: Arc<MockClock>, seed: u64) -> Result<Control, StartError> {
    let shutdown = Shutdown::new(Duration::from_secs(10));
    let (time, random) = (Arc::clone(&clock), Arc::new(SeededRandom::new(seed)));
    let started = start(config, Ports { clock: time, random, shutdown: shutdown.clone() }).await?;
    Ok(Control { started, clock, shutdown })
}

impl Control {
    pub(crate) async fn start(directory: &TempDir) -> Self {
        Self::start_with(config(directory)).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        try_start(config, Arc::default(), 1).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.shutdown.request();
        assert_eq!(self.shutdown.drain().await, Drained::Complete);
    }

    /// Asks the admin API.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(&self.started.admin_socket).await.unwrap();
        let head = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        exchange(stream, method, path, head, body).await
    }

    /// Asks the admin API for something that must succeed.
    pub(crate) async fn admin_json(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.admin(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { serde_json::from_str(&answer.body).unwrap() }
    }

    /// What the admin API says against a request: its status and problem.
    pub(crate) async fn refusal(&self, method: &str, path: &str, body: &str) -> String {
        let answer = self.admin(method, path, body).await;
        assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
        format!("{method} {path}\n{} {}", answer.status, answer.body)
    }

    /// Asks the public API.
    pub(crate) async fn public(&self, method: &str, path: &str, head: &str) -> Answer {
        exchange(TcpStream::connect(self.started.public).await.unwrap(), method, path, head, "").await
    }

    pub(crate) async fn metrics(&self) -> String {
        exchange(TcpStream::connect(self.started.metrics).await.unwrap(), "GET", "/metrics", "", "").await.body
    }

    /// An organization `acme` with a project `web`.
    pub(crate) async fn with_project(self) -> Self {
        self.admin_json("POST", "/v1/organizations", r#"{"name":"acme"}"#).await;
        self.admin_json("POST", "/v1/organizations/acme/projects", r#"{"name":"web"}"#).await;
        self
    }

    /// Makes a node a member, as enrolment does, but without a certificate.
    pub(crate) async fn join_node(&self, number: u8, capacity: u32) -> MachineId {
        let store = self.store().await;
        let random = SeededRandom::new(1_000 + u64::from(number));
        let (now, secret_hash) = (self.clock.now(), SecretHash::from_bytes([number; 32]));
        let id = JoinTokenId::generate(&random);
        let expires_at = now + Duration::from_secs(60);
        store
            .create_join_token(&NewJoinToken { id, secret_hash, expires_at, capacity_max: None, organizations: None })
            .await
            .unwrap();
        let request = JoinRequest {
            secret_hash,
            key_fingerprint: KeyFingerprint::from_bytes([number; 32]),
            new_machine_id: MachineId::generate(&random),
            name: format!("node-{number}"),
            capacity,
            certificate_not_after: now + Duration::from_secs(86_400),
        };
        match store.join_node(&request, now).await.unwrap() {
            JoinOutcome::Joined(node) => node.machine_id,
            JoinOutcome::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    /// The same database, through connections of its own.
    pub(crate) async fn store(&self) -> ControlStore {
        ControlStore::open(&self.database().await).await.unwrap()
    }

    /// Connections of one's own to the database.
    pub(crate) async fn database(&self) -> Database {
        let file = self.started.admin_socket.with_file_name("control.db");
        Database::open(&DatabaseUrl::sqlite(file)).await.unwrap()
    }

    /// The fleet's instances, once there are so many.
    pub(crate) async fn instances(&self, count: usize) -> Vec<Value> {
        eventually(|| async {
            let list = self.admin_json("GET", "/v1/instances", "").await;
            let instances = list["items"].as_array().unwrap().clone();
            (instances.len() == count).then_some(instances).ok_or_else(|| list.to_string())
        })
        .await
    }
}

/// Tries until it succeeds, for a while.
pub(crate) async fn eventually<T, F: Future<Output = Result<T, String>>>(mut attempt: impl FnMut() -> F) -> T {
    let mut last = String::new();
    let attempts = async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(why) => last = why,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, attempts).await {
        Ok(value) => value,
        Err(_) => panic!("not so in time: {last}"),
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    head: &str,
    body: &str,
) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// A line of the answer's head.
pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
}
