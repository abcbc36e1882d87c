// SPDX-License-Identifier: Apache-2.0
//! A wire to a server of this machine that can be cut, held, slowed down, or made to lose one answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The wire. Its threads end with the connections.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flow: Flow,
    delay: Duration,
    fatal: Option<Vec<u8>>,
    streams: Vec<TcpStream>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Flow {
    #[default]
    Open,
    Cut,
    Held,
}

impl TcpProxy {
    /// A wire to this port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port is left.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                own.connect(client, server);
            }
        });
        Self { port, shared }
    }

    /// Where clients connect.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection, and each new one at once, until it is mended.
    pub fn cut(&self) {
        let mut state = self.shared.state();
        state.flow = Flow::Cut;
        state.break_all();
    }

    /// Carries nothing any more, without a word to either side, until it is mended.
    pub fn hold(&self) {
        self.shared.state().flow = Flow::Held;
    }

    /// Carries again.
    pub fn mend(&self) {
        self.shared.state().flow = Flow::Open;
    }

    /// Carries every answer this much later.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Carries the next message to the server that contains this, and breaks the connection in place of carrying the answer.
    pub fn lose_answer_to(&self, part: &str) {
        self.shared.state().fatal = Some(part.as_bytes().to_vec());
    }

    /// Whether what [`TcpProxy::lose_answer_to`] waits for has come.
    #[must_use]
    pub fn has_lost_answer(&self) -> bool {
        self.shared.state().fatal.is_none()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: TcpStream, server: u16) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
        let _without_delay = (client.set_nodelay(true), server.set_nodelay(true));
        let mut state = self.state();
        if state.flow == Flow::Cut {
            return;
        }
        let copies = (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone());
        if let (Ok(from_client), Ok(to_server), Ok(client_kept), Ok(server_kept)) = copies {
            state.streams.extend([client_kept, server_kept]);
            drop(state);
            let doomed = Arc::new(AtomicBool::new(false));
            let (up, down) = (Arc::clone(self), Arc::clone(self));
            let own = Arc::clone(&doomed);
            std::thread::spawn(move || up.carry_up(from_client, to_server, &own));
            std::thread::spawn(move || down.carry_down(server, client, &doomed));
        }
    }

    fn carry_up(&self, mut from: TcpStream, mut to: TcpStream, doomed: &AtomicBool) {
        self.carry(&mut from, &mut to, |bytes| {
            let mut state = self.state();
            if state.fatal.as_ref().is_some_and(|part| contains(bytes, part)) {
                state.fatal = None;
                doomed.store(true, Ordering::SeqCst);
            }
            true
        });
    }

    fn carry_down(&self, mut from: TcpStream, mut to: TcpStream, doomed: &AtomicBool) {
        self.carry(&mut from, &mut to, |_| {
            let delay = self.state().delay;
            if !delay.is_zero() {
                std::thread::sleep(delay);
            }
            !doomed.load(Ordering::SeqCst)
        });
    }

    fn carry(&self, from: &mut TcpStream, to: &mut TcpStream, allowed: impl Fn(&[u8]) -> bool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            while self.state().flow == Flow::Held {
                std::thread::sleep(Duration::from_millis(5));
            }
            if !allowed(bytes) || to.write_all(bytes).is_err() {
                break;
            }
        }
        let _gone = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

impl State {
    fn break_all(&mut self) {
        for stream in self.streams.drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
