// SPDX-License-Identifier: Apache-2.0
//! A wire between a node and control that can be cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(100);

/// Carries connections to a port of this machine while it is whole.
pub(super) struct Wire {
    pub(super) port: u16,
    whole: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let wire = Self { port: listener.local_addr()?.port(), whole: Arc::new(AtomicBool::new(true)) };
        let whole = Arc::clone(&wire.whole);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = whole.load(Ordering::Relaxed).then(|| TcpStream::connect(("127.0.0.1", port)));
                if let Some(Ok(server)) = server {
                    carry_both(client, server, &whole);
                }
            }
        });
        Ok(wire)
    }

    pub(super) fn cut(&self) {
        self.whole.store(false, Ordering::Relaxed);
    }

    pub(super) fn mend(&self) {
        self.whole.store(true, Ordering::Relaxed);
    }
}

fn carry_both(client: TcpStream, server: TcpStream, whole: &Arc<AtomicBool>) {
    let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone()) else { return };
    for (from, to) in [(client, server), (server_again, client_again)] {
        let whole = Arc::clone(whole);
        std::thread::spawn(move || carry(from, to, &whole));
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, whole: &AtomicBool) {
    let _looks = from.set_read_timeout(Some(LOOK));
    let mut buffer = vec![0; 64 * 1024];
    while whole.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if buffer.get(..count).is_some_and(|bytes| to.write_all(bytes).is_ok()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    let _closed = from.shutdown(Shutdown::Both);
    let _closed = to.shutdown(Shutdown::Both);
}
