// SPDX-License-Identifier: Apache-2.0
//! The server of one instance: its listener, its limits and its connections. Instances share nothing here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{Backlog, listen, setsockopt, sockopt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::connection;
use super::limits::{BACKLOG, Limits, REFUSED_CONNECTIONS_MAX, SOCKET_BUFFER_BYTES};
use super::rate::Bucket;
use super::rules::Hosts;
use super::statistics::Statistics;

/// What all connections of one instance share.
pub(super) struct Instance<B> {
    pub(super) backend: Arc<B>,
    pub(super) hosts: Hosts,
    pub(super) limits: Limits,
    pub(super) requests: Bucket,
    pub(super) statistics: Arc<Statistics>,
    pub(super) started: Instant,
}

/// The metadata service of one instance, bound and ready to serve.
pub struct Server<B> {
    instance: Arc<Instance<B>>,
    connection_rate: Bucket,
    listener: tokio::net::TcpListener,
    address: SocketAddr,
}

/// A listener that a metadata service cannot be served on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The listener is bound to every address of the machine.
    #[error(
        "expected the metadata service's listener to be bound to one address, it is bound to all ({0}); bind it to a loopback or link-local address"
    )]
    Unspecified(SocketAddr),
    /// The socket could not be set up.
    #[error("cannot set up the metadata service's listener: {0}")]
    Socket(#[from] io::Error),
}

/// How long to wait after an accept that failed for lack of file descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

impl<B: Backend> Server<B> {
    /// Takes a bound listener; the address that it is bound to is the only one that callers may name. Call it on the
    /// runtime that is to serve.
    ///
    /// # Errors
    /// [`ServerError`]: the listener is bound to no particular address, or the kernel refuses a setting.
    pub fn new(backend: Arc<B>, listener: TcpListener, limits: Limits) -> Result<Self, ServerError> {
        let address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            return Err(ServerError::Unspecified(address));
        }
        listener.set_nonblocking(true)?;
        set_limits(&listener).map_err(io::Error::from)?;
        let connection_rate = Bucket::new(limits.connections_per_second_max, limits.connections_max);
        let instance = Instance {
            backend,
            hosts: Hosts::new(address),
            requests: Bucket::new(limits.requests_per_second_max, limits.requests_burst_max),
            limits,
            statistics: Arc::default(),
            started: Instant::now(),
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self { instance: Arc::new(instance), connection_rate, listener, address })
    }

    /// The address that the service answers at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters, which outlive it.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.instance.statistics)
    }

    /// Serves until `shutdown`, then closes the listener, lets open requests finish for as long as the drain limit says,
    /// and drops what is left. Dropping the future drops every connection at once.
    pub async fn serve(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut refused = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                Some(_) = refused.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if connections.len() < self.instance.limits.connections_max() => {
                    self.instance.statistics.count_connection();
                    // Without it an answer waits for the caller's delayed acknowledgement of the one before.
                    let _best_effort = stream.set_nodelay(true);
                    connections.spawn(connection::serve(Arc::clone(&self.instance), stream, shutdown.clone()));
                }
                Ok((stream, _)) => self.refuse(stream, &mut refused),
                Err(error) => back_off(&error).await,
            }
            while let Err(wait) = self.connection_rate.take(self.instance.started.elapsed()) {
                sleep(wait).await;
            }
        }
        let drain = self.instance.limits.drain_time();
        drop(self);
        let _drained_or_not = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    }

    fn refuse(&self, stream: TcpStream, refused: &mut JoinSet<()>) {
        self.instance.statistics.count_refused_connection();
        if refused.len() < REFUSED_CONNECTIONS_MAX {
            refused.spawn(connection::refuse(stream));
        }
    }
}

/// Puts the limits of the kernel's share on a listener; accepted sockets inherit those of the buffers.
fn set_limits(listener: &TcpListener) -> Result<(), Errno> {
    setsockopt(listener, sockopt::RcvBuf, &SOCKET_BUFFER_BYTES)?;
    setsockopt(listener, sockopt::SndBuf, &SOCKET_BUFFER_BYTES)?;
    listen(listener, Backlog::new(BACKLOG)?)
}

/// A connection that died before it was taken is nobody's loss; a lack of descriptors or memory passes.
async fn back_off(error: &io::Error) {
    let died = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !died.contains(&error.kind()) {
        tracing::warn!(%error, "cannot accept a connection to a metadata service; raise the limit of open files if this stays");
        sleep(ACCEPT_BACKOFF).await;
    }
}
