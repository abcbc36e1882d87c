// SPDX-License-Identifier: Apache-2.0
//! An issuer's key set server that a test can break.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends with the test.
pub(crate) struct KeySetServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Mutex<String>,
    served: AtomicUsize,
    over: AtomicBool,
}

impl KeySetServer {
    pub(crate) fn start(set: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Mutex::new(response("200 OK", "", set));
        let shared = Arc::new(Shared { answer, served: AtomicUsize::new(0), over: AtomicBool::new(false) });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&listener, &serving));
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    pub(crate) fn publish(&self, set: &str) {
        self.answer("200 OK", "", set);
    }

    pub(crate) fn answer(&self, status: &str, header: &str, body: &str) {
        self.set_answer(response(status, header, body));
    }

    /// Connections are taken and closed.
    pub(crate) fn break_down(&self) {
        self.set_answer(String::new());
    }

    /// How many answers it has given since the last change of it.
    pub(crate) fn served(&self) -> usize {
        self.shared.served.load(Ordering::SeqCst)
    }

    fn set_answer(&self, answer: String) {
        let mut current = self.shared.answer.lock().unwrap();
        *current = answer;
        self.shared.served.store(0, Ordering::SeqCst);
    }
}

impl Drop for KeySetServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _awake = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let mut stream = stream.unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut request = [0; 4_096];
        let _ignored = stream.read(&mut request);
        let answer = shared.answer.lock().unwrap();
        // Whoever asked may have hung up: an answer can be too long.
        let _ignored = stream.write_all(answer.as_bytes());
        shared.served.fetch_add(1, Ordering::SeqCst);
    }
}

fn response(status: &str, header: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/jwk-set+json\r\nCache-Control: max-age=1\r\n{header}\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
