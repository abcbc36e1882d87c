// SPDX-License-Identifier: Apache-2.0
//! Connections of those who showed no certificate. They may enrol, which takes a moment, so they get little time and few places: however
//! many strangers there are, they take none from the nodes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cress_service::listen::{Connection, Peer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;

/// Connections without a certificate at once.
pub(super) const STRANGERS_MAX: usize = 256;
/// How long such a connection may last.
const STRANGER_LIFE: Duration = Duration::from_secs(60);

/// Lets all nodes pass, and strangers within their limits.
pub(super) fn guarded(
    incoming: impl Stream<Item = io::Result<Connection>>,
    strangers_max: usize,
) -> impl Stream<Item = io::Result<Guarded>> {
    let places = Arc::new(Semaphore::new(strangers_max));
    incoming.filter_map(move |connection| {
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => return Some(Err(error)),
        };
        if connection.peer().certificates.is_some() {
            return Some(Ok(Guarded { connection, stranger: None }));
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!(peer = ?connection.peer().address, "too many connections without a certificate; closed one");
            return None;
        };
        let stranger = Stranger { end: Box::pin(sleep(STRANGER_LIFE)), _place: place };
        Some(Ok(Guarded { connection, stranger: Some(stranger) }))
    })
}

/// A connection that ends soon if it is a stranger's.
#[derive(Debug)]
pub(super) struct Guarded {
    connection: Connection,
    stranger: Option<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Guarded {
    /// Whether its time is over; otherwise the task is woken when it is.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.stranger.as_mut().is_some_and(|stranger| stranger.end.as_mut().poll(context).is_ready())
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
        if self.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.connection().poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.connection().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use cress_service::Shutdown;
    use cress_service::listen::{Address, Listener, Server};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn strangers_have_few_places_and_little_time() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let Address::Tcp(address) = *listener.address() else { unreachable!() };
        let shutdown = Shutdown::default();
        let mut incoming = Box::pin(guarded(Server::new(listener).incoming(&shutdown), 1));
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
}
