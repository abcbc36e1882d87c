// SPDX-License-Identifier: Apache-2.0
//! A wire between two programs that can be cut and mended.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Forwards connections to a port of this machine as long as it is not cut.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    open: Arc<AtomicBool>,
}

impl Wire {
    /// A wire to this port.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let wire = Self { port, open: Arc::new(AtomicBool::new(true)) };
        let open = Arc::clone(&wire.open);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", target)).ok().filter(|_| open.load(Ordering::Relaxed));
                if let Some(server) = server {
                    carry(
                        client.try_clone().expect("a socket"),
                        server.try_clone().expect("a socket"),
                        Arc::clone(&open),
                    );
                    carry(server, client, Arc::clone(&open));
                }
            }
        });
        wire
    }

    /// Where to connect instead.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and accepts none.
    pub fn cut(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Accepts connections again.
    pub fn mend(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, open: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        from.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let mut buffer = vec![0; 64 * 1024];
        while open.load(Ordering::Relaxed) {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
        let _closed = from.shutdown(Shutdown::Both);
        let _closed = to.shutdown(Shutdown::Both);
    });
}
