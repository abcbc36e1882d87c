// SPDX-License-Identifier: Apache-2.0
//! A metadata service on loopback, over a backend that holds what a test puts into it.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cress_api::imds::Status;
use cress_domain::Audience;
use cress_node::imds::{Backend, BackendError, Counts, Limits, Server, Statistics, TokenAnswer, TokenBody};
use cress_testkit::imds_conformance::{Answer, Target};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The audience that the instance may ask a token for, beyond its default one.
pub(crate) const AUDIENCE: &str = "https://broker.example/v1";
/// Its default token.
pub(crate) const TOKEN: &str = "aaa.bbb.ccc";
/// Its token for [`AUDIENCE`].
pub(crate) const AUDIENCE_TOKEN: &str = "aaa.bbb.ddd";

/// One instance in memory.
pub(crate) struct Memory {
    token: Mutex<TokenAnswer>,
    token_changed: Notify,
    deletion_cost: AtomicI32,
    pub(crate) restarts: AtomicU32,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            token: Mutex::new(TokenAnswer::Ready(TokenBody::new(TOKEN))),
            token_changed: Notify::new(),
            deletion_cost: AtomicI32::new(0),
            restarts: AtomicU32::new(0),
        }
    }
}

impl Memory {
    pub(crate) fn set_token(&self, answer: TokenAnswer) {
        *self.token.lock().unwrap() = answer;
        self.token_changed.notify_waiters();
    }

    fn is_unknown(&self) -> bool {
        matches!(*self.token.lock().unwrap(), TokenAnswer::InstanceUnknown)
    }

    fn known<T>(&self, value: T) -> Result<T, BackendError> {
        if self.is_unknown() { Err(BackendError::InstanceUnknown) } else { Ok(value) }
    }
}

impl Backend for Memory {
    fn token(&self, audience: Option<&Audience>) -> TokenAnswer {
        match (self.token.lock().unwrap().clone(), audience.map(Audience::as_str)) {
            (TokenAnswer::Ready(_), Some(AUDIENCE)) => TokenAnswer::Ready(TokenBody::new(AUDIENCE_TOKEN)),
            (TokenAnswer::Ready(_), Some(_)) => TokenAnswer::AudienceNotAllowed,
            (answer, _) => answer,
        }
    }

    async fn settled_token(&self, audience: Option<&Audience>) -> TokenAnswer {
        loop {
            let changed = self.token_changed.notified();
            match self.token(audience) {
                TokenAnswer::Pending => changed.await,
                settled => return settled,
            }
        }
    }

    fn status(&self) -> Result<Status, BackendError> {
        self.known(Status { ready: false, started: true })
    }

    async fn restart(&self) -> Result<(), BackendError> {
        self.restarts.fetch_add(1, Ordering::SeqCst);
        self.known(())
    }

    fn deletion_cost(&self) -> Result<i32, BackendError> {
        self.known(self.deletion_cost.load(Ordering::SeqCst))
    }

    async fn set_deletion_cost(&self, cost: i32) -> Result<(), BackendError> {
        self.deletion_cost.store(cost, Ordering::SeqCst);
        self.known(())
    }
}

/// A server on a thread of its own; it stops when this is dropped.
pub(crate) struct Running {
    pub(crate) backend: Arc<Memory>,
    pub(crate) address: SocketAddr,
    statistics: Arc<Statistics>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server on loopback.
pub(crate) fn start(limits: Limits) -> Running {
    start_on(TcpListener::bind("127.0.0.1:0").unwrap(), limits)
}

/// Starts a server on this listener.
pub(crate) fn start_on(listener: TcpListener, limits: Limits) -> Running {
    let backend = Arc::new(Memory::default());
    let shutdown = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = {
        let _inside = runtime.enter();
        Server::new(Arc::clone(&backend), listener, limits).unwrap()
    };
    let (address, statistics) = (server.address(), server.statistics());
    let stopped = shutdown.clone();
    let thread = std::thread::spawn(move || runtime.block_on(server.serve(stopped)));
    Running { backend, address, statistics, shutdown, thread: Some(thread) }
}

impl Running {
    pub(crate) fn target(&self) -> Target {
        Target::cress(self.address)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.statistics.counts()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let target = self.target();
        target.ask(&target.request("GET", path, &[], "")).unwrap()
    }

    pub(crate) fn put_deletion_cost(&self, body: &str) -> Answer {
        let target = self.target();
        let length = format!("Content-Length: {}", body.len());
        target
            .ask(&target.request("PUT", "/v1/deletion-cost", &["Content-Type: application/json", &length], body))
            .unwrap()
    }

    /// Says that it must stop, without waiting for it.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has stopped.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shut_down();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// A connection that is kept open.
pub(crate) struct Open {
    reader: BufReader<TcpStream>,
}

impl Open {
    pub(crate) fn to(target: &Target) -> Self {
        Self { reader: BufReader::new(target.connect().unwrap()) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        Answer::read_next(&mut self.reader, false)
    }

    pub(crate) fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.reader
    }
}

/// Limits from numbers.
pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Polls until this is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("expected within 10 s: {what}");
}
