// SPDX-License-Identifier: Apache-2.0
//! A service behind a proxy that tells what reached it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Ends with the test.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    served: AtomicUsize,
}

/// A request as it reached the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echoed {
    /// The method.
    pub method: String,
    /// The target, as it stands in the request's first line.
    pub target: String,
    /// Headers in their order, names as they came.
    pub headers: Vec<(String, String)>,
    /// What came after the body, names as they came.
    pub trailers: Vec<(String, String)>,
}

impl Echo {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&listener, &serving));
        Self { address, shared, thread: Some(thread) }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests have reached it.
    #[must_use]
    pub fn served(&self) -> usize {
        self.shared.served.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _awake = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

/// A connection has a thread of its own: proxies keep several.
fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || converse(stream, &shared));
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.set_nodelay(true).ok()?;
    let mut connection = BufReader::new(stream);
    while !shared.over.load(Ordering::SeqCst) {
        let echoed = read(&mut connection)?;
        shared.served.fetch_add(1, Ordering::SeqCst);
        let body = serde_json::to_string(&echoed).ok()?;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.get_mut().write_all(answer.as_bytes()).ok()?;
    }
    None
}

fn read(connection: &mut BufReader<TcpStream>) -> Option<Echoed> {
    let first = line(connection)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = fields(connection)?;
    let header =
        |name: &str| headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let mut trailers = Vec::new();
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        trailers = chunks(connection)?;
    } else {
        let length = header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        connection.read_exact(&mut vec![0; length]).ok()?;
    }
    Some(Echoed { method, target, headers, trailers })
}

fn fields(connection: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(connection)?;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line.split_once(':')?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A body in chunks; the fields after it.
fn chunks(connection: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    loop {
        let size = usize::from_str_radix(line(connection)?.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return fields(connection);
        }
        connection.read_exact(&mut vec![0; size]).ok()?;
        line(connection)?;
    }
}

fn line(connection: &mut BufReader<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    let count = connection.read_until(b'\n', &mut bytes).ok()?;
    (count > 0).then(|| String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
}
