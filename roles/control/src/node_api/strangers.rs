// SPDX-License-Identifier: Apache-2.0
//! Which connections are kept, and for how long.
//!
//! A stranger is whoever shows no certificate, or one of a node that is not of the fleet or banned. Strangers may enrol, which takes a
//! moment, so they get little time, and a small part of all places. A member has few connections at once, each until its certificate
//! ends, and none once it is banned or removed.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use cress_service::listen::{Connection, Peer};
use cress_store::KeyFingerprint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;

use super::caller::{Caller, Doorkeeper};
use super::limits::CONNECTIONS_PER_KEY_MAX;

/// How long a stranger's connection may last.
const STRANGER_LIFE: Duration = Duration::from_secs(60);
/// How often it is looked whether a member still is one.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

/// Lets members pass, and strangers, each within their limits.
pub(super) fn guarded(
    incoming: impl Stream<Item = io::Result<Connection>>,
    doorkeeper: Doorkeeper,
    strangers_max: u32,
) -> impl Stream<Item = io::Result<Guarded>> {
    let gate = Gate {
        doorkeeper,
        strangers: Arc::new(Semaphore::new(usize::try_from(strangers_max).unwrap_or(usize::MAX))),
        keys: Keys::default(),
    };
    incoming.filter_map(move |connection| match connection {
        Ok(connection) => gate.admit(connection).map(Ok),
        Err(error) => Some(Err(error)),
    })
}

struct Gate {
    doorkeeper: Doorkeeper,
    strangers: Arc<Semaphore>,
    keys: Keys,
}

/// How many connections there are with certificates for each key.
#[derive(Debug, Clone, Default)]
struct Keys(Arc<Mutex<HashMap<KeyFingerprint, usize>>>);

/// One connection with a certificate for this key.
#[derive(Debug)]
struct KeyPlace {
    keys: Keys,
    key: KeyFingerprint,
}

/// A connection that ends when its time is over.
pub(super) struct Guarded {
    connection: Connection,
    standing: Standing,
    /// When the standing is looked at again.
    look: Pin<Box<Sleep>>,
    caller: Option<Caller>,
    doorkeeper: Doorkeeper,
    _key: Option<KeyPlace>,
}

#[derive(Debug)]
enum Standing {
    Stranger { _place: OwnedSemaphorePermit },
    Member,
    Over,
}

impl Gate {
    fn admit(&self, connection: Connection) -> Option<Guarded> {
        let address = connection.peer().address;
        let caller = Doorkeeper::certified(connection.peer());
        let key = match caller {
            None => None,
            Some(caller) => Some(self.keys.enter(caller.key_fingerprint).or_else(|| {
                tracing::debug!(peer = ?address, machine = %caller.machine, "too many connections of one node; closed one");
                None
            })?),
        };
        let (standing, look) = if caller.is_some_and(|caller| self.doorkeeper.is_member(&caller)) {
            (Standing::Member, LOOK_PERIOD)
        } else {
            let Ok(place) = Arc::clone(&self.strangers).try_acquire_owned() else {
                tracing::debug!(peer = ?address, "too many connections of strangers; closed one");
                return None;
            };
            (Standing::Stranger { _place: place }, STRANGER_LIFE)
        };
        let (look, doorkeeper) = (Box::pin(sleep(look)), self.doorkeeper.clone());
        Some(Guarded { connection, standing, look, caller, doorkeeper, _key: key })
    }
}

impl Keys {
    fn enter(&self, key: KeyFingerprint) -> Option<KeyPlace> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = keys.entry(key).or_insert(0);
        if *count >= CONNECTIONS_PER_KEY_MAX {
            return None;
        }
        *count += 1;
        Some(KeyPlace { keys: self.clone(), key })
    }
}

impl Drop for KeyPlace {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

impl Guarded {
    /// Fails when its time is over; otherwise the task is woken when that is to be looked at again.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !matches!(self.standing, Standing::Over) {
            if self.look.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            // A stranger may be known by now: a node that enrolled with another replica a moment before.
            let is_member = self.caller.is_some_and(|caller| self.doorkeeper.is_member(&caller));
            self.standing = if is_member { Standing::Member } else { Standing::Over };
            self.look.as_mut().reset(Instant::now() + LOOK_PERIOD);
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn connection(self: Pin<&mut Self>) -> Pin<&mut Connection> {
        Pin::new(&mut self.get_mut().connection)
    }
}

impl Connected for Guarded {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.connection.connect_info()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        self.connection().poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        self.connection().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        self.connection().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        self.connection().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection().poll_shutdown(context)
    }
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guarded").field("standing", &self.standing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use cress_service::Shutdown;
    use cress_service::listen::{Address, Listener, Server};
    use cress_testkit::MockClock;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;
    use crate::fleet::{FeedWaker, FleetView};

    fn doorkeeper() -> Doorkeeper {
        let clock = Arc::new(MockClock::default());
        let fleet = FleetView::new(Arc::clone(&clock) as _, Duration::from_secs(30));
        Doorkeeper::new(fleet, FeedWaker::new(), clock)
    }

    #[tokio::test]
    async fn strangers_have_few_places_and_little_time() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let Address::Tcp(address) = *listener.address() else { unreachable!() };
        let shutdown = Shutdown::default();
        let mut incoming = Box::pin(guarded(Server::new(listener).incoming(&shutdown), doorkeeper(), 1));
        let _first = TcpStream::connect(address).await.unwrap();
        let mut accepted = incoming.next().await.unwrap().unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let refused = async { second.read(&mut [0]).await };
        tokio::select! {
            _ = incoming.next() => panic!("there was no place"),
            read = refused => assert_eq!(read.unwrap_or(0), 0),
        }
        // Time passes at once from here on.
        tokio::time::pause();
        assert_eq!(accepted.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        tokio::time::resume();
        drop(accepted);
        let _third = TcpStream::connect(address).await.unwrap();
        incoming.next().await.unwrap().unwrap();
        shutdown.request();
    }

    #[test]
    fn a_key_has_few_places() {
        let keys = Keys::default();
        let [one, other] = [1, 2].map(|byte| KeyFingerprint::from_bytes([byte; 32]));
        let mut places: Vec<_> = (0..CONNECTIONS_PER_KEY_MAX).map(|_| keys.enter(one).unwrap()).collect();
        assert!(keys.enter(one).is_none());
        assert!(keys.enter(other).is_some());
        drop(places.pop());
        assert!(keys.enter(one).is_some());
        places.clear();
        assert!(keys.0.lock().unwrap().is_empty());
    }
}
