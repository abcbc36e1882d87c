// SPDX-License-Identifier: Apache-2.0
//! The loopback ports of metadata services: each instance gets the lowest free one and keeps it, also over a restart of
//! the agent, since scripts and people hold on to it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use cress_domain::InstanceId;
use cress_service::data_dir::DataDir;
use cress_service::plain_words;
use serde::{Deserialize, Serialize};

use super::notes::Notes;

const FILE: &str = "ports.json";
/// How many ports are tried before giving up for now.
const TRIES_MAX: usize = 4_096;

/// The ports of all instances.
#[derive(Debug)]
pub(super) struct Ports {
    address: IpAddr,
    base: u16,
    pub(super) notes: Notes<Port>,
}

/// An instance's port, and the settings that it was chosen with: under others it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Port {
    port: u16,
    base: u16,
    address: IpAddr,
}

/// Why an instance has no port.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    #[error("no port from {base} on is free on {address}; stop other programs or set another `imds.base_port`")]
    NoneFree { address: IpAddr, base: u16 },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: SocketAddr, reason: String },
}

impl Ports {
    pub(super) fn new(address: IpAddr, base: u16, data_dir: Arc<DataDir>) -> Self {
        Self { address, base, notes: Notes::load(data_dir, FILE) }
    }

    /// A listener on the instance's port. Blocks on the disk.
    pub(super) fn listen(&self, id: InstanceId) -> Result<TcpListener, PortError> {
        let (listener, written) = self.notes.change(|ports| {
            let before = ports.get(&id).filter(|note| **note == self.note(note.port));
            if let Some(listener) = before.and_then(|note| self.listen_again(id, note.port)) {
                return (false, Ok(listener));
            }
            match self.lowest_free(|port| ports.values().any(|taken| *taken == self.note(port))) {
                Ok((port, listener)) => {
                    ports.insert(id, self.note(port));
                    (true, Ok(listener))
                }
                Err(error) => (false, Err(error)),
            }
        });
        self.notes.warn_unless(written);
        listener
    }

    const fn note(&self, port: u16) -> Port {
        Port { port, base: self.base, address: self.address }
    }

    fn listen_again(&self, id: InstanceId, port: u16) -> Option<TcpListener> {
        match self.bind(port) {
            Ok(listener) => Some(listener),
            Err(error) => {
                tracing::warn!(instance_id = %id, port, %error, "the port of an instance's metadata service is not free any more; choosing another");
                None
            }
        }
    }

    fn lowest_free(&self, is_promised: impl Fn(u16) -> bool) -> Result<(u16, TcpListener), PortError> {
        for port in (self.base..=u16::MAX).filter(|port| !is_promised(*port)).take(TRIES_MAX) {
            match self.bind(port) {
                Ok(listener) => return Ok((port, listener)),
                Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {}
                Err(error) => {
                    let address = SocketAddr::new(self.address, port);
                    return Err(PortError::Listen { address, reason: plain_words(&error) });
                }
            }
        }
        Err(PortError::NoneFree { address: self.address, base: self.base })
    }

    fn bind(&self, port: u16) -> io::Result<TcpListener> {
        TcpListener::bind((self.address, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> InstanceId {
        InstanceId::from_bytes([number; 16])
    }

    fn port(listener: &TcpListener) -> u16 {
        listener.local_addr().unwrap().port()
    }

    #[test]
    fn ports_are_the_lowest_free_and_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = port(&other);
        let open =
            || Ports::new("127.0.0.1".parse().unwrap(), base, Arc::new(DataDir::open(directory.path()).unwrap()));
        let ports = open();
        let (one, two) = (ports.listen(id(1)).unwrap(), ports.listen(id(2)).unwrap());
        let (first, second) = (port(&one), port(&two));
        assert!(base < first && first < second, "{base} {first} {second}");
        drop((one, two, ports));

        // In another order, after a restart, and although a lower one is free.
        let ports = open();
        drop(other);
        let two = ports.listen(id(2)).unwrap();
        assert_eq!(port(&two), second);
        let one = ports.listen(id(1)).unwrap();
        assert_eq!(port(&one), first);
        assert_eq!(port(&ports.listen(id(3)).unwrap()), base);

        // A port that someone else took meanwhile is given up.
        drop(two);
        let thief = TcpListener::bind(("127.0.0.1", second)).unwrap();
        assert_ne!(port(&ports.listen(id(2)).unwrap()), second);
        drop(thief);
    }

    #[test]
    fn ports_move_when_the_settings_do() {
        let directory = tempfile::tempdir().unwrap();
        let open = |address: &str, base: u16| {
            Ports::new(address.parse().unwrap(), base, Arc::new(DataDir::open(directory.path()).unwrap()))
        };
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = port(&free);
        drop(free);
        let one = open("127.0.0.1", base).listen(id(1)).unwrap();
        let before = port(&one);
        drop(one);

        let moved = open("127.0.0.1", before + 1);
        let one = moved.listen(id(1)).unwrap();
        assert!(port(&one) > before, "{} from {} on", port(&one), before + 1);
        drop((one, moved));
        // Another address has the port that is free on the first one.
        let two = open("127.0.0.2", before).listen(id(1)).unwrap();
        assert_eq!(two.local_addr().unwrap().to_string(), format!("127.0.0.2:{before}"));
    }
}
