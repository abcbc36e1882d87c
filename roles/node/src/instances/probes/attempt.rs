// SPDX-License-Identifier: Apache-2.0
//! One try of a probe: a command beside the instance's, a TCP connection, or an HTTP request, as the instance itself
//! would make it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{InstanceId, Probe, ProbeAction};
use cress_driver::{Driver, ExecOutcome};
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::netns::Namespace;

/// Bytes of an answer in which its status line must end.
const STATUS_LINE_BYTES_MAX: usize = 1_024;
/// What the driver may take beyond a command's own time to kill it.
const KILL_TIME: Duration = Duration::from_secs(5);

/// Where the instance's ports are.
#[derive(Debug, Clone)]
pub(in crate::instances) enum Network {
    /// On the node's own loopback.
    Host,
    /// On the loopback of this namespace.
    Namespace(Arc<Namespace>),
}

/// Whoever tries probes of one instance.
#[derive(Debug)]
pub(in crate::instances) struct Prober {
    pub(in crate::instances) driver: Arc<dyn Driver>,
    pub(in crate::instances) id: InstanceId,
    pub(in crate::instances) network: Network,
}

impl Prober {
    /// Tries once. An error says why it counts as failed.
    pub(super) async fn attempt(&self, probe: &Probe) -> Result<(), String> {
        let time = Duration::from_secs(probe.timeout_seconds.into());
        match &probe.action {
            ProbeAction::Exec { command } => self.exec(command, time).await,
            ProbeAction::Tcp { port } => in_time(time, self.connect(*port)).await.map(drop),
            ProbeAction::Http { path, port, headers } => {
                let request = request(path, *port, headers)?;
                in_time(time, self.http(*port, &request)).await
            }
        }
    }

    async fn exec(&self, command: &[String], time: Duration) -> Result<(), String> {
        let running = self.driver.exec(self.id, command.to_vec(), time);
        match in_time(time.saturating_add(KILL_TIME), async { running.await.map_err(|error| error.to_string()) })
            .await?
        {
            outcome if outcome.is_success() => Ok(()),
            ExecOutcome::Exited(exit) => Err(format!("the command ended with {exit}")),
            ExecOutcome::TimedOut => Err(took_too_long(time)),
        }
    }

    async fn connect(&self, port: u16) -> Result<TcpStream, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let refused = |error: std::io::Error| format!("port {port}: {error}");
        match &self.network {
            Network::Host => TcpStream::connect(address).await.map_err(refused),
            Network::Namespace(namespace) => {
                let namespace = Arc::clone(namespace);
                // Only the socket is made on a thread that blocks: what is slow to accept must hold up no other instance.
                let made = tokio::task::spawn_blocking(move || namespace.socket()).await;
                let socket = made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                socket.connect(address).await.map_err(refused)
            }
        }
    }

    async fn http(&self, port: u16, request: &[u8]) -> Result<(), String> {
        let mut stream = self.connect(port).await?;
        stream.write_all(request).await.map_err(|error| error.to_string())?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') && line.len() < STATUS_LINE_BYTES_MAX {
            if stream.read_buf(&mut line).await.map_err(|error| error.to_string())? == 0 {
                break;
            }
        }
        match status(&line) {
            Some(200..=399) => Ok(()),
            Some(status) => Err(format!("expected a status of 200 to 399, got {status}")),
            None => Err("expected an answer in HTTP/1.1, got something else".to_owned()),
        }
    }
}

async fn in_time<T>(time: Duration, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_elapsed| Err(took_too_long(time)))
}

fn took_too_long(time: Duration) -> String {
    format!("it took longer than {} s", time.as_secs())
}

/// The request, of parts that cannot smuggle in another one.
fn request(path: &str, port: u16, headers: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    let mut all = BTreeMap::from([
        ("host".to_owned(), format!("127.0.0.1:{port}")),
        ("user-agent".to_owned(), concat!("cress-probe/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("accept".to_owned(), "*/*".to_owned()),
    ]);
    all.extend(headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    all.insert("connection".to_owned(), "close".to_owned());
    let mut request = format!("GET {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &all {
        let refused = || format!("expected headers that HTTP allows, got one named {name:?}");
        HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| refused())?;
        request.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    Ok(request)
}

/// The status of `HTTP/1.1 200 OK` (RFC 9112 section 4).
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut parts = std::str::from_utf8(line).ok()?.split([' ', '\r']);
    let version = parts.next()?;
    let code = parts.next().filter(|code| code.len() == 3)?;
    if version.starts_with("HTTP/1.") { code.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_read_strictly() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Some(200)),
            ("HTTP/1.0 404\r\n", Some(404)),
            ("HTTP/1.1 503", Some(503)),
            ("HTTP/2 200\r\n", None),
            ("HTTP/1.1 2000 OK\r\n", None),
            ("HTTP/1.1 abc OK\r\n", None),
            ("SSH-2.0-OpenSSH", None),
            ("", None),
        ] {
            assert_eq!(status(answer.as_bytes()), expected, "{answer:?}");
        }
        assert_eq!(status(&[0xff, b'\n']), None);
    }

    #[test]
    fn headers_go_along_and_cannot_smuggle() {
        let headers = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let text = String::from_utf8(request("/health", 80, &headers("Host", "app")).unwrap()).unwrap();
        assert!(text.starts_with("GET /health HTTP/1.1\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        assert!(text.contains("\r\nhost: app\r\n") && !text.contains("127.0.0.1"), "{text}");
        for (name, value) in [("a b", "x"), ("", "x"), ("a", "x\r\nb: c"), ("a:", "x")] {
            assert!(request("/", 80, &headers(name, value)).is_err(), "{name:?}: {value:?} was accepted");
        }
    }

    #[test]
    fn a_port_that_does_not_answer_holds_up_no_other_probe() {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: network namespaces need root");
            return;
        }
        let inside = Inside::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let attempt = |port: u16, timeout: u32| {
                let prober = inside.prober();
                tokio::spawn(async move {
                    let probe = serde_json::json!({"tcp": {"port": port}, "timeout_seconds": timeout});
                    prober.attempt(&serde_json::from_value(probe).unwrap()).await
                })
            };
            let silent: Vec<_> = (0..8).map(|_| attempt(inside.silent, 3)).collect();
            tokio::task::yield_now().await;
            assert_eq!(attempt(inside.open, 2).await.unwrap(), Ok(()));
            for attempt in silent {
                assert_eq!(attempt.await.unwrap(), Err(took_too_long(Duration::from_secs(3))));
            }
            let refused = attempt(1, 2).await.unwrap().unwrap_err();
            assert!(refused.starts_with("port 1: "), "{refused}");
        });
    }

    /// A network namespace with a port that is open, and one that lets callers wait, for as long as this lives.
    struct Inside {
        namespace: Arc<Namespace>,
        open: u16,
        silent: u16,
        _until: std::sync::mpsc::Sender<()>,
    }

    impl Inside {
        fn start() -> Self {
            let (told, tell) = std::sync::mpsc::channel();
            let (ports_told, ports) = std::sync::mpsc::channel();
            let (until, ended) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                told.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                // Its loopback device comes up meanwhile.
                let () = ended.recv().unwrap();
                let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                let silent = silent_listener();
                let address = silent.local_addr().unwrap();
                // Those that fit into the queue that nobody empties.
                let waiting: Vec<_> =
                    std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, KILL_TIME / 10).ok())
                        .collect();
                ports_told.send((open.local_addr().unwrap().port(), address.port())).unwrap();
                let _dropped = ended.recv();
                drop((open, silent, waiting));
            });
            let thread = std::path::Path::new("/proc").join(tell.recv().unwrap());
            let namespace = Namespace::open(&thread.join("ns/net")).unwrap();
            drop(namespace.listen().unwrap());
            until.send(()).unwrap();
            let (open, silent) = ports.recv().unwrap();
            Self { namespace: Arc::new(namespace), open, silent, _until: until }
        }

        fn prober(&self) -> Prober {
            use cress_driver_process::{ProcessDriver, ProcessDriverConfig, SupervisorCommand};
            let supervisor = SupervisorCommand { program: "/nowhere".into(), arguments: Vec::new() };
            let driver = Arc::new(ProcessDriver::new(ProcessDriverConfig::new(supervisor, "/nowhere".into())));
            let network = Network::Namespace(Arc::clone(&self.namespace));
            Prober { driver, id: InstanceId::from_bytes([1; 16]), network }
        }
    }

    fn silent_listener() -> std::net::TcpListener {
        use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};
        use std::os::fd::AsRawFd;
        let descriptor = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(descriptor.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        listen(&descriptor, Backlog::new(0).unwrap()).unwrap();
        descriptor.into()
    }
}
