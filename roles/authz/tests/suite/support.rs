// SPDX-License-Identifier: Apache-2.0
//! A running service, its issuer, and a plain client that can send anything.

use std::sync::{Arc, Mutex};

use cress_authz::{Config, IssuerConfig, Metrics, Ports, Reload, RuleConfig, Started, start};
use cress_domain::Clock;
use cress_service::Shutdown;
use cress_testkit::{MockClock, TestIssuer, with_changes};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A service that runs until it is dropped.
pub(crate) struct Service {
    pub(crate) issuer: TestIssuer,
    pub(crate) directory: TempDir,
    pub(crate) started: Started,
    shutdown: Shutdown,
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

impl Service {
    /// One with these rules, changed before it starts.
    pub(crate) async fn start(rules: Vec<RuleConfig>, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issuer = TestIssuer::new();
        let keys = directory.path().join("jwks.json");
        std::fs::write(&keys, issuer.jwks_json()).unwrap();
        let name = issuer.rules().issuer;
        let mut trusted = IssuerConfig::new("test", name, "", vec![issuer.audience().clone()]);
        (trusted.jwks_url, trusted.jwks_file) = (None, Some(keys));
        let mut config = Config::new(vec![trusted], rules);
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.metrics = Metrics { listen: config.listen };
        config.headers = [("X-Sub", "sub"), ("X-Group", "salad_workload_name"), ("X-Team", "team")]
            .map(|(header, claim)| (header.to_owned(), claim.to_owned()))
            .into();
        change(&mut config);
        let (shutdown, asked) = (Shutdown::default(), Arc::new(Notify::new()));
        let current = Arc::new(Mutex::new(Ok(config.clone())));
        let next = Arc::clone(&current);
        let load = Arc::new(move || next.lock().unwrap().clone());
        let reload = Reload { load, asked: Arc::clone(&asked) };
        let clock: Arc<dyn Clock> = Arc::new(MockClock::default());
        let ports = Ports { clock, shutdown: shutdown.clone(), reload: Some(reload) };
        let started = start(config, ports).await.unwrap();
        Self { issuer, directory, started, shutdown, config: current, asked }
    }

    /// A good token, with changed claims.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.issuer.sign_claims(with_changes(self.issuer.claims(MockClock::default().now()), changes))
    }

    /// `GET` with these header lines.
    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.send(
            format!("GET {path} HTTP/1.1\r\nHost: authz\r\nConnection: close\r\n{}\r\n", lines(headers)).as_bytes(),
        )
        .await
    }

    /// These bytes.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        let address = self.started.url.strip_prefix("http://").unwrap();
        send(address, bytes).await
    }

    pub(crate) async fn metrics(&self) -> String {
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        send(&self.started.metrics.to_string(), request).await.body
    }

    /// Has another configuration taken, or refused.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Config)) {
        let mut config = self.config.lock().unwrap();
        if let Ok(config) = config.as_mut() {
            change(config);
        }
        self.asked.notify_one();
    }
}

impl Drop for Service {
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

    /// The code in a refusal's body.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

async fn send(address: &str, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn lines(headers: &[&str]) -> String {
    headers.iter().map(|line| format!("{line}\r\n")).collect()
}

pub(crate) fn rule(name: &str, change: impl FnOnce(&mut RuleConfig)) -> RuleConfig {
    let mut rule = RuleConfig::new(name);
    change(&mut rule);
    rule
}
