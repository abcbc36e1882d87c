// SPDX-License-Identifier: Apache-2.0
//! A running broker, its issuer, and a plain client that can send anything.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cress_api::broker::SOCKET_FILE;
use cress_broker::{Config, CredentialConfig, IssuerConfig, Metrics, Ports, ProviderConfig, Reload, Started, start};
use cress_domain::Clock;
use cress_service::{Shutdown, SystemClock, SystemRandom};
use cress_testkit::{TestIssuer, with_changes};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::target::Target;

pub(crate) const AUDIENCE: &str = "https://broker.test";
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker that runs until it is dropped.
pub(crate) struct Broker {
    pub(crate) issuer: TestIssuer,
    pub(crate) directory: TempDir,
    pub(crate) started: Started,
    pub(crate) target: Target,
    pub(crate) shutdown: Shutdown,
    config: Arc<Mutex<Result<Config, String>>>,
    asked: Arc<Notify>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Broker {
    /// One that gives out `cache-rw`, an account in memory, and `computed`, to everyone with a good token.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, changed before it starts.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issuer = TestIssuer::new();
        let mut config = config(&directory, &issuer);
        change(&mut config);
        let (shutdown, asked, target) = (Shutdown::default(), Arc::new(Notify::new()), Target::default());
        let current = Arc::new(Mutex::new(Ok(config.clone())));
        let next = Arc::clone(&current);
        let load = Arc::new(move || next.lock().unwrap().clone());
        let ports = Ports {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            shutdown: shutdown.clone(),
            reload: Some(Reload { load, asked: Arc::clone(&asked) }),
            providers: target.builder(),
        };
        let started = start(config, ports).await.unwrap();
        Self { issuer, directory, started, target, shutdown, config: current, asked }
    }

    /// Writes the policies that count from the next look on.
    pub(crate) fn write_policies(&self, text: &str) {
        std::fs::write(self.directory.path().join("policies.cedar"), text).unwrap();
        self.asked.notify_one();
    }

    /// The header line of a good token for the broker.
    pub(crate) fn token(&self) -> String {
        self.token_with(&json!({}))
    }

    /// The same with changed claims.
    pub(crate) fn token_with(&self, changes: &Value) -> String {
        format!("Authorization: Bearer {}", self.bare_token(changes))
    }

    pub(crate) fn bare_token(&self, changes: &Value) -> String {
        let mut claims = self.issuer.claims(SystemClock::new().now());
        claims.insert("aud".to_owned(), AUDIENCE.into());
        self.issuer.sign_claims(with_changes(claims, changes))
    }

    /// Any request with these header lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let stream = TcpStream::connect(self.started.address).await.unwrap();
        exchange(stream, method, path, headers, body).await
    }

    /// A credential, asked for with this JSON.
    pub(crate) async fn issue(&self, name: &str, headers: &[&str], body: &str) -> Answer {
        let path = format!("/v1/credentials/{name}");
        let headers = [headers, &["Content-Type: application/json"]].concat();
        self.send("POST", &path, &headers, body).await
    }

    /// A request to the operator's socket.
    pub(crate) async fn operator(&self, method: &str, path: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(self.directory.path().join("data").join(SOCKET_FILE)).await.unwrap();
        exchange(stream, method, path, &["Content-Type: application/json"], body).await
    }

    pub(crate) async fn metrics(&self) -> String {
        let stream = TcpStream::connect(self.started.metrics).await.unwrap();
        exchange(stream, "GET", "/metrics", &[], "").await.body
    }

    /// Has another configuration taken, or refused.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Config)) {
        if let Ok(config) = self.config.lock().unwrap().as_mut() {
            change(config);
        }
        self.asked.notify_one();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

impl Answer {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let first = values.next();
        assert_eq!(values.next(), None, "{name} twice in {}", self.head);
        first
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        (self.status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn lease(&self) -> String {
        assert!(self.status < 300, "{self:?}");
        self.json()["lease_id"].as_str().unwrap().to_owned()
    }
}

fn config(directory: &TempDir, issuer: &TestIssuer) -> Config {
    let keys = directory.path().join("jwks.json");
    std::fs::write(&keys, issuer.jwks_json()).unwrap();
    let policies = directory.path().join("policies.cedar");
    std::fs::write(&policies, everyone()).unwrap();
    let mut config = Config::new(directory.path().join("data"), AUDIENCE.parse().unwrap());
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.metrics = Metrics { listen: config.listen };
    let trusted =
        IssuerConfig { issuer: Some(issuer.issuer().clone()), jwks_file: Some(keys), ..IssuerConfig::default() };
    config.issuers = [("test".to_owned(), trusted)].into();
    let provider = |kind: &str| ProviderConfig { kind: kind.to_owned(), settings: toml::Table::new() };
    config.providers =
        [("cache".parse().unwrap(), provider("memory")), ("here".parse().unwrap(), provider("computed"))].into();
    let credential = |provider: &str| CredentialConfig::new(provider.parse().unwrap());
    let mut cache = credential("cache");
    cache.parameters = vec!["database".to_owned()];
    config.credentials =
        [("cache-rw".parse().unwrap(), cache), ("computed".parse().unwrap(), credential("here"))].into();
    config.policies.files = vec![policies];
    config
}

pub(crate) fn everyone() -> String {
    permit("everyone", "principal has organization_id")
}

/// A policy that permits under this condition.
pub(crate) fn permit(id: &str, condition: &str) -> String {
    format!("@id(\"{id}\") permit (principal, action == Cress::Action::\"issue\", resource) when {{ {condition} }};\n")
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks again until there is something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let patience = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, patience).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
