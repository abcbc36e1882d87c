// SPDX-License-Identifier: Apache-2.0
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::Shutdown;
use crate::problem::{Json, with_problems};

const LONG: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
    /// One permit for each request that reached its handler.
    entered: Arc<Semaphore>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    count: i32,
}

async fn run(limits: Limits) -> Running {
    let entered = Arc::new(Semaphore::new(0));
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(async |Extension(peer): Extension<Peer>| format!("{:?}", peer.address)))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/json", post(async |Json(count): Json<Count>| count.count.to_string()))
        .route("/panic", get(async || -> &'static str { panic!("of this test") }))
        .route("/large", get(async || vec![b'x'; 64 * 1024 * 1024]))
        .route(
            "/slow",
            get(async |State(entered): State<Arc<Semaphore>>| {
                entered.add_permits(1);
                tokio::time::sleep(Duration::from_millis(200)).await;
                "done"
            }),
        )
        .route(
            "/endless",
            get(async |State(entered): State<Arc<Semaphore>>| {
                entered.add_permits(1);
                std::future::pending::<&'static str>().await
            }),
        )
        .with_state(Arc::clone(&entered));
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
    let Address::Tcp(address) = *listener.address() else { unreachable!() };
    let shutdown = Shutdown::new(Duration::from_millis(500));
    let task = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { Server::new(listener).limits(limits).serve(with_problems(router), &shutdown).await }
    });
    Running { address, shutdown, task, entered }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything that comes until the server closes.
    async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_to_end(&mut stream).await
    }

    async fn stop(self) {
        self.shutdown.request();
        timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        answer.push(timeout(LONG, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(answer).unwrap()
}

fn assert_problem(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(
        answer.contains(&format!("\"status\":{status}")) && answer.contains(&format!("\"code\":\"{code}\"")),
        "{answer}"
    );
}

#[tokio::test]
async fn serves_and_keeps_connections() {
    let server = run(Limits::default()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let answer = read_until(&mut stream, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    // Pipelined, the second of them no HTTP.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nno http at all\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    assert_problem(answer.split_once("hello").unwrap().1, 400, "malformed-request");

    let answer = server.exchange(b"GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("Tcp(127.0.0.1:"), "{answer}");
    assert!(server.exchange(b"GET / HTTP/1.0\r\n\r\n").await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let server = run(Limits { body_bytes_max: 100, head_bytes_max: 8192, ..Limits::default() }).await;
    let json = |body: &str| {
        format!(
            "POST /json HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let large_header = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(300_000));
    let many_headers = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(101));
    let long_target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000));
    let cases: [(&str, u16, &str); 17] = [
        ("GET /absent HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404, "not-found"),
        ("PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 405, "method-not-allowed"),
        ("GET /panic HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 500, "internal-error"),
        (&large_header, 431, "headers-too-large"),
        (&many_headers, 431, "headers-too-large"),
        (&long_target, 431, "headers-too-large"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed-request"),
        ("GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n", 400, "malformed-request"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", 400, "malformed-request"),
        (
            "POST /json HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
            415,
            "unsupported-media-type",
        ),
        (&json(&"1".repeat(101)), 413, "body-too-large"),
        (
            &format!(
                "POST /json HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\
                 connection: close\r\n\r\n65\r\n{}\r\n0\r\n\r\n",
                "1".repeat(101)
            ),
            413,
            "body-too-large",
        ),
        (&json("{"), 400, "invalid-body"),
        (&json(r#"{"count":"secret"}"#), 400, "invalid-body"),
        (&json(r#"{"count":1,"extra":2}"#), 400, "invalid-body"),
        (&json("{}"), 400, "invalid-body"),
        (&json("[7]"), 400, "invalid-body"),
    ];
    for (request, status, code) in cases {
        let answer = server.exchange(request.as_bytes()).await;
        assert_problem(&answer, status, code);
        assert!(!answer.contains("secret"), "{answer}");
    }
    let allowed = server.exchange(b"PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(allowed.contains("allow: GET,HEAD"), "{allowed}");
    assert!(server.exchange(json(r#"{"count":7}"#).as_bytes()).await.ends_with("\r\n7"));
    server.stop().await;
}

#[tokio::test]
async fn slow_requests_time_out() {
    let limits =
        Limits { head_timeout_seconds: 1, body_timeout_seconds: 1, idle_timeout_seconds: 2, ..Limits::default() };
    let server = run(limits).await;
    let head = server.exchange(b"GET / HTTP/1.1\r\nhost:");
    let body = server.exchange(
        b"POST /json HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{",
    );
    let idle = server.exchange(b"");
    let (head, body, idle) = tokio::join!(head, body, idle);
    assert_problem(&head, 408, "request-timeout");
    assert_problem(&body, 408, "request-timeout");
    assert_eq!(idle, "");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cut() {
    let server = run(Limits { write_stall_seconds: 1, connections_max: 1, ..Limits::default() }).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // The one connection is taken until the server gives up on it.
    assert!(server.exchange(b"GET / HTTP/1.0\r\n\r\n").await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_wait() {
    let server = run(Limits { connections_max: 1, ..Limits::default() }).await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(100), second.read_u8()).await.is_err());
    drop(first);
    assert!(read_to_end(&mut second).await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn stopping_answers_what_is_at_hand_and_cuts_the_rest() {
    let server = run(Limits::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut idle, "hello").await;
    let (mut slow, mut endless) = (server.connect().await, server.connect().await);
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    endless.write_all(b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // Both are with their handlers.
    server.entered.acquire_many(2).await.unwrap().forget();
    let address = server.address;
    server.stop().await;
    let answer = read_to_end(&mut slow).await;
    assert!(answer.ends_with("done"), "{answer}");
    assert_eq!(read_to_end(&mut idle).await, "");
    assert_eq!(timeout(LONG, endless.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn taken_ports_and_wrong_addresses_have_a_sentence() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
    let port = listener.port().unwrap();
    let message = Listener::tcp(SocketAddr::from(([127, 0, 0, 1], port)), "--base-port").await.unwrap_err().to_string();
    assert_eq!(
        message,
        format!("port {port} on 127.0.0.1 is taken by another program; stop it or choose another with --base-port")
    );
    let message = Listener::tcp("192.0.2.1:0".parse().unwrap(), "--listen").await.unwrap_err().to_string();
    assert_eq!(message, "this machine has no address 192.0.2.1; choose another with --listen");
}

#[tokio::test]
async fn the_number_of_headers_is_a_setting() {
    let server = run(Limits { headers_max: 2, ..Limits::default() }).await;
    let two = server.exchange(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(two.starts_with("HTTP/1.1 200 "), "{two}");
    let three = server.exchange(b"GET / HTTP/1.1\r\nhost: a\r\nx: y\r\nconnection: close\r\n\r\n").await;
    assert_problem(&three, 431, "headers-too-large");
    server.stop().await;
}

#[tokio::test]
async fn grpc_servers_drain_too() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
    let shutdown = Shutdown::new(Duration::from_millis(100));
    let port = listener.port().unwrap();
    let incoming = Server::new(listener).incoming(&shutdown);
    let serving = tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            let server = tonic::transport::Server::builder().add_routes(tonic::service::Routes::default());
            let serving = server.serve_with_incoming_shutdown(incoming, shutdown.requested());
            shutdown.run_until_expired(serving).await
        }
    });
    let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    shutdown.request();
    timeout(LONG, serving).await.unwrap().unwrap();
    assert_eq!(shutdown.drain().await, crate::shutdown::Drained::Complete);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_and_tells_who_calls() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let listener = Listener::unix(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Listener::unix(&path).unwrap_err().to_string().contains("another process already listens"));

        let shutdown = Shutdown::default();
        let router =
            Router::new().route("/", get(async |Extension(peer): Extension<Peer>| format!("{:?}", peer.address)));
        let task = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { Server::new(listener).serve(router, &shutdown).await }
        });
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("user_id: {}", nix::unistd::geteuid())), "{answer}");
        shutdown.request();
        task.await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn only_a_dead_process_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(Listener::unix(&path).unwrap());

        std::fs::write(&path, "precious").unwrap();
        assert!(Listener::unix(&path).unwrap_err().to_string().contains("something else is in its place"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let deep = directory.path().join("x".repeat(120));
        assert!(Listener::unix(&deep).is_ok() || Listener::unix(&deep).unwrap_err().to_string().contains("socket"));
    }
}
