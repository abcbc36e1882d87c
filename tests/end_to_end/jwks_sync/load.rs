// SPDX-License-Identifier: Apache-2.0
//! Requests with good and bad tokens, without a pause, over connections that are kept as long as the server keeps them. Nothing is
//! ever sent again: what gets no answer, or the wrong one, counts.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const CONNECTIONS: usize = 8;
/// So that the proxy's reloads, and not this client, have the processor.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    port: u16,
    /// Each with the status that it must get.
    tokens: Mutex<Vec<(String, u16)>>,
    answered: AtomicUsize,
    connections: AtomicUsize,
    failures: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answered: usize,
    pub(crate) connections: usize,
    pub(crate) failures: Vec<String>,
}

impl Load {
    pub(crate) fn start(port: u16, good: &[String], bad: &[String]) -> Self {
        let shared = Arc::new(Shared {
            port,
            tokens: Mutex::new(expectations(good, bad)),
            answered: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            failures: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let start = |index| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(index))
        };
        let threads = (0..CONNECTIONS).map(start).collect();
        Self { shared, threads }
    }

    /// From now on these are sent.
    pub(crate) fn send(&self, good: &[String], bad: &[String]) {
        *self.shared.tokens.lock().unwrap() = expectations(good, bad);
    }

    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    pub(crate) fn finish(self) -> Outcome {
        self.shared.over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let failures = std::mem::take(&mut *self.shared.failures.lock().unwrap());
        let connections = self.shared.connections.load(Ordering::SeqCst);
        Outcome { answered: self.shared.answered.load(Ordering::SeqCst), connections, failures }
    }
}

fn expectations(good: &[String], bad: &[String]) -> Vec<(String, u16)> {
    let expect = |tokens: &[String], status| tokens.iter().map(|token| (token.clone(), status)).collect::<Vec<_>>();
    [expect(good, 200), expect(bad, 401)].concat()
}

impl Shared {
    fn run(&self, index: usize) {
        let mut connection = None;
        let mut turn = index;
        while !self.over.load(Ordering::SeqCst) {
            turn += 1;
            let (token, expected) = {
                let tokens = self.tokens.lock().unwrap();
                tokens[turn % tokens.len()].clone()
            };
            match self.exchange(&mut connection, &token) {
                Ok(status) if status == expected => {}
                Ok(status) => self.fail(format!("expected {expected}, got {status} for {token}")),
                Err(error) => {
                    connection = None;
                    self.fail(format!("expected {expected}, got no answer: {error}"));
                }
            }
            self.answered.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(PAUSE);
        }
    }

    fn fail(&self, failure: String) {
        self.failures.lock().unwrap().push(failure);
    }

    fn exchange(&self, kept: &mut Option<BufReader<TcpStream>>, token: &str) -> io::Result<u16> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                self.connections.fetch_add(1, Ordering::SeqCst);
                BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?)
            }
        };
        connection.get_ref().set_read_timeout(Some(Duration::from_secs(10)))?;
        let (status, keep) = exchange(&mut connection, token)?;
        *kept = keep.then_some(connection);
        Ok(status)
    }
}

/// The status, and whether the connection may be used again.
fn exchange(connection: &mut BufReader<TcpStream>, token: &str) -> io::Result<(u16, bool)> {
    let request = format!("GET / HTTP/1.1\r\nHost: service\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes())?;
    let (mut status, mut length, mut keep) = (0, 0, true);
    for number in 0.. {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(':') {
            _ if number == 0 => status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0),
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(("connection", value)) => keep = value.trim() != "close",
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok((status, keep))
}
