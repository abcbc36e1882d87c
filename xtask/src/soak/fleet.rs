// SPDX-License-Identifier: Apache-2.0
//! One control, two nodes that stay, and one at a time that comes to be banned.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::Connection;
use super::now;
use super::process::Process;
use super::wire::Wire;

/// Instances of the group that is never changed, on both nodes together.
const STEADY: u16 = 24;
/// Instances of the group that is.
pub(super) const CHURN_MAX: u64 = 16;
const CAPACITY: u16 = 60;
/// Ports that one process needs.
const STRIDE: u16 = 100;
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;
/// How long everything may take to be ready, at the start and after a fault.
pub(super) const READY_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const ROTATION_SECONDS: u32 = 60;

/// Everything that runs.
pub(super) struct Fleet {
    directory: TempDir,
    binary: PathBuf,
    pub(super) control: Process,
    control_port: u16,
    pub(super) nodes: Vec<Node>,
    store: Option<String>,
    guests: u16,
}

/// A node that stays.
pub(super) struct Node {
    pub(super) process: Process,
    pub(super) wire: Wire,
    base_port: u16,
}

/// An instance that is never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The index of its node.
    pub(super) node: usize,
    pub(super) address: SocketAddr,
}

/// Runs `cress admin` on control.
#[derive(Clone)]
pub(super) struct Client {
    binary: PathBuf,
    directory: PathBuf,
    churn_ports: Vec<SocketAddr>,
}

impl Fleet {
    pub(super) fn start(binary: PathBuf, store: Option<&str>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let ports = free_ports(3)?;
        let [control_port, first, second] = ports.as_slice() else { bail!("expected three ranges of ports") };
        let mut control = control(&binary, directory.path(), *control_port, store)?;
        control.start()?;
        let store = store.map(str::to_owned);
        let mut fleet =
            Self { directory, binary, control, control_port: *control_port, nodes: Vec::new(), store, guests: 0 };
        fleet.wait_for_control()?;
        for (name, port) in [("node A", *first), ("node B", *second)] {
            let wire = Wire::to(control_port + 1)?;
            let mut process = fleet.node(name, port, wire.port)?;
            process.start()?;
            fleet.nodes.push(Node { process, wire, base_port: port });
        }
        fleet.wait_for_nodes(2)?;
        let client = fleet.client();
        client.admin(&["organizations", "create", "acme"])?;
        client.admin(&["projects", "create", "--organization", "acme", "default"])?;
        client.group("create", "steady", u64::from(STEADY), "0")?;
        fleet.wait_for_steady(None)?;
        client.group("create", "churn", CHURN_MAX, "0")?;
        Ok(fleet)
    }

    pub(super) fn node_at(&mut self, index: usize) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(index).context("expected two nodes")
    }

    pub(super) fn client(&self) -> Client {
        let ports = |node: &Node| (node.base_port..node.base_port + CAPACITY).map(address).collect::<Vec<_>>();
        let churn_ports = self.nodes.iter().flat_map(ports).collect();
        Client { binary: self.binary.clone(), directory: self.directory.path().to_owned(), churn_ports }
    }

    pub(super) fn store_name(&self) -> &'static str {
        if self.store.is_some() { "PostgreSQL" } else { "SQLite" }
    }

    pub(super) fn jwks_url(&self) -> String {
        format!("http://127.0.0.1:{}/.well-known/workload-jwks.json", self.control_port)
    }

    pub(super) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.control_port)
    }

    /// The metadata services of the group that is never changed.
    pub(super) fn steady_targets(&self) -> anyhow::Result<Vec<Target>> {
        self.wait_for_steady(None)
    }

    /// Waits until every one of them, or of those of one node, has a token.
    pub(super) fn wait_for_steady(&self, expected: Option<&[Target]>) -> anyhow::Result<Vec<Target>> {
        let begun = now();
        loop {
            let found = self.steady_now();
            let complete = match expected {
                Some(expected) => expected.iter().all(|target| found.contains(target)),
                None => found.len() == usize::from(STEADY),
            };
            if complete {
                return Ok(found);
            }
            ensure!(begun.elapsed() < READY_MAX, "{} instances have tokens after {READY_MAX:?}", found.len());
            std::thread::sleep(PAUSE);
        }
    }

    fn steady_now(&self) -> Vec<Target> {
        let mut found = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for port in node.base_port..node.base_port + CAPACITY {
                if workload(address(port)).as_deref() == Some("steady") {
                    found.push(Target { node: index, address: address(port) });
                }
            }
        }
        found
    }

    pub(super) fn wait_for_control(&self) -> anyhow::Result<()> {
        let mut connection = Connection::to(address(self.control_port));
        wait("control to be ready", || connection.call("GET", "/readyz").is_ok_and(|answer| answer.status == 200))
    }

    pub(super) fn wait_for_nodes(&self, count: usize) -> anyhow::Result<()> {
        let client = self.client();
        wait("the nodes to be connected", || {
            let listed = client.admin(&["nodes", "list"]).unwrap_or_default();
            listed.as_array().is_some_and(|nodes| {
                nodes.iter().filter(|node| node.get("connected") == Some(&Value::Bool(true))).count() >= count
            })
        })
    }

    /// Lets another node join, waits until it runs something, and bans it. Its instances move.
    pub(super) fn ban_a_guest(&mut self) -> anyhow::Result<()> {
        self.guests += 1;
        let ports = free_ports(1)?;
        let port = *ports.first().context("a range of ports")?;
        let mut guest = self.node("guest", port, self.control_port + 1)?;
        guest.start()?;
        self.wait_for_nodes(3)?;
        let client = self.client();
        let listed = client.admin(&["nodes", "list"])?;
        let name = format!("guest-{}", self.guests);
        let id = listed.as_array().and_then(|nodes| {
            nodes.iter().find(|node| node.get("name").and_then(Value::as_str) == Some(name.as_str()))
        });
        let id = id.and_then(|node| node.get("machine_id")?.as_str()).context("the guest is not listed")?.to_owned();
        client.admin(&["nodes", "ban", &id])?;
        guest.kill()
    }

    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        self.control.check_alive()?;
        self.nodes.iter_mut().try_for_each(|node| node.process.check_alive())
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.process.stop()?;
        }
        self.control.stop()
    }

    fn node(&self, name: &'static str, base_port: u16, control_port: u16) -> anyhow::Result<Process> {
        let invitation = self.client().admin(&["nodes", "invite"])?;
        let shown_name = if name == "guest" { format!("guest-{}", self.guests) } else { name.to_owned() };
        // Not by its port, which a guest's successor gets again.
        let directory = self.directory.path().join(shown_name.replace(' ', "-"));
        fs::create_dir(&directory)?;
        let token = directory.join("join-token");
        fs::write(&token, invitation.get("join_token").and_then(Value::as_str).context("expected a join token")?)?;
        let arguments = [
            ("--data-dir", directory.join("data").display().to_string()),
            ("--control", format!("https://127.0.0.1:{control_port}")),
            ("--join-token-file", token.display().to_string()),
            ("--name", shown_name),
            ("--capacity", CAPACITY.to_string()),
        ];
        let mut all = vec!["node".to_owned(), "--process-driver-without-isolation".to_owned()];
        all.extend(arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        let process = Process::new(name, self.binary.clone(), all, directory.join("node.log"))
            .set("CRESS_NODE_IMDS__BASE_PORT", base_port.to_string())
            .set("CRESS_NODE_METRICS__LISTEN", format!("127.0.0.1:{}", base_port + STRIDE - 1))
            .set("CRESS_NODE_IMDS__LIMITS__REQUESTS_PER_SECOND_MAX", "1000000")
            .set("CRESS_NODE_IMDS__LIMITS__REQUESTS_BURST_MAX", "1000000");
        Ok(process)
    }
}

fn control(binary: &Path, directory: &Path, port: u16, store: Option<&str>) -> anyhow::Result<Process> {
    let data_dir = directory.join("data").display().to_string();
    let arguments = ["control", "--data-dir", &data_dir].map(str::to_owned).to_vec();
    let listen = |offset: u16| format!("127.0.0.1:{}", port + offset);
    let process = Process::new("control", binary.to_owned(), arguments, directory.join("control.log"))
        .set("CRESS_CONTROL_LISTEN", listen(0))
        .set("CRESS_CONTROL_NODE_API__LISTEN", listen(1))
        .set("CRESS_CONTROL_METRICS__LISTEN", listen(10))
        .set("CRESS_CONTROL_SCHEDULE__LEAD_SECONDS", ROTATION_SECONDS.to_string())
        .set("CRESS_CONTROL_SCHEDULE__ACTIVE_SECONDS", ROTATION_SECONDS.to_string())
        .set("CRESS_CONTROL_SCHEDULE__JWKS_CACHE_SECONDS", "5")
        .set("CRESS_CONTROL_SCHEDULE__SKEW_SECONDS", "5");
    let Some(url) = store else { return Ok(process) };
    // With a server's database no key is made by itself.
    let kek = directory.join("kek");
    let random = fs::read("/proc/sys/kernel/random/uuid")?;
    fs::write(&kek, format!("{}\n", base64_of_32(&random)))?;
    Ok(process
        .set("CRESS_CONTROL_STORE__URL", url)
        .set("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", format!("file:{}", kek.display())))
}

/// A key for a test: the first 32 characters as bytes, in base64. It protects nothing but this run.
fn base64_of_32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.get(..32).unwrap_or_default().chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = usize::try_from(number >> (18 - 6 * index) & 63).unwrap_or_default();
            let digit = if index > chunk.len() { b'=' } else { DIGITS.get(digit).copied().unwrap_or(b'=') };
            text.push(char::from(digit));
        }
    }
    text
}

impl Client {
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// What it answers, as JSON.
    pub(super) fn admin(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let data_dir = self.directory.join("data");
        let output = Command::new(&self.binary)
            .args(["admin", "--json", "--data-dir"])
            .arg(&data_dir)
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cress admin {}: {}", arguments.join(" "), told.trim());
        if output.stdout.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&output.stdout)?) }
    }

    /// Makes or replaces a group; another `mark` makes its instances new ones.
    pub(super) fn group(&self, verb: &str, name: &str, replicas: u64, mark: &str) -> anyhow::Result<()> {
        let definition = json!({
            "replicas": replicas, "command": ["sleep", "36000"], "stop_grace_seconds": 1,
            "environment": {"MARK": mark}, "token_ttl_seconds": 300,
        });
        let file = self.directory.join(format!("{name}.json"));
        fs::write(&file, definition.to_string())?;
        let file = file.display().to_string();
        self.admin(&["groups", verb, "--organization", "acme", "--project", "default", "--file", &file, name]).map(drop)
    }

    /// A metadata service of the group that is churned, if one is found from this place on.
    pub(super) fn churned_service(&self, from: usize) -> Option<SocketAddr> {
        let ports = self.churn_ports.iter().cycle().skip(from).take(self.churn_ports.len());
        ports.copied().find(|address| workload(*address).as_deref() == Some("churn"))
    }
}

/// The container group whose instance is served at this address.
fn workload(address: SocketAddr) -> Option<String> {
    let answer = Connection::to(address).call("GET", "/v1/token").ok().filter(|answer| answer.status == 200)?;
    let token: Value = serde_json::from_str(&answer.body).ok()?;
    let payload = token.get("jwt")?.as_str()?.split('.').nth(1)?.to_owned();
    let claims: Value = serde_json::from_slice(&base64url(&payload)?).ok()?;
    Some(claims.get("salad_workload_name")?.as_str()?.to_owned())
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0_u32);
    for byte in text.bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn wait(what: &str, condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    let (begun, mut condition) = (now(), condition);
    while !condition() {
        ensure!(begun.elapsed() < READY_MAX, "expected {what} within {READY_MAX:?}");
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

const fn address(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The first ports of so many ranges of which nothing is in use.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let is_free = |base: &u16| (*base..base + STRIDE).all(|port| TcpListener::bind(address(port)).is_ok());
    let ranges = (LAST_PORT - FIRST_PORT) / STRIDE;
    let start = u16::try_from(std::process::id() % u32::from(ranges))?;
    let bases = (0..ranges).map(|index| FIRST_PORT + (start + index) % ranges * STRIDE);
    let free: Vec<u16> = bases.filter(is_free).take(count).collect();
    ensure!(free.len() == count, "expected {count} ranges of {STRIDE} free ports");
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        let text = base64_of_32(b"0123456789abcdef0123456789abcdef-more");
        assert_eq!(text, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        assert_eq!(base64url(text.trim_end_matches('=')).unwrap(), b"0123456789abcdef0123456789abcdef");
        assert_eq!(base64url("a+b"), None);
    }
}
