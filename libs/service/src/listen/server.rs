// SPDX-License-Identifier: Apache-2.0
//! Accepting connections within limits, and serving HTTP on them until the process stops.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use bytes::Bytes;
use http::{Request, Response};
use hyper::service::{Service, service_fn};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::bind::{Listener, Socket};
use super::connection::{Connection, Peer, PeerAddress, Stream};
use super::handshakes::{Handshake, Handshakes};
use super::http1::Http1;
use super::incoming::Incoming;
use super::{Limits, RequestBody};
use crate::Shutdown;
use crate::tls::channel_binding;

/// The pause after the operating system had no more files or memory for a connection.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A server on one listener.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
}

impl Server {
    /// A server without TLS and with the default limits.
    #[must_use]
    pub fn new(listener: Listener) -> Self {
        Self { listener, tls: None, limits: Limits::default() }
    }

    /// Speaks TLS, unless the listener is a Unix socket.
    #[must_use]
    pub fn tls(mut self, config: Option<Arc<ServerConfig>>) -> Self {
        self.tls = config;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves a router over HTTP/1.1 until `shutdown` asks to stop, and then until every request at hand is answered or the drain
    /// deadline has passed. Each request has its [`Peer`] in its extensions. Answers that never end by themselves (server-sent events) must end when
    /// `shutdown` asks.
    pub async fn serve(self, router: Router, shutdown: &Shutdown) {
        // The limit on bodies is this server's; axum's own must not come first.
        let router: Router = router.layer(DefaultBodyLimit::disable());
        let service = move |peer: &Peer| {
            let (router, peer) = (router.clone(), peer.clone());
            service_fn(move |request: Request<RequestBody>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(peer.clone());
                router.clone().oneshot(request)
            })
        };
        self.serve_with(service, shutdown).await;
    }

    /// Like [`Server::serve`], with a service of one's own made for each connection: for what must be faster than a router.
    pub async fn serve_with<M, S, B>(self, make: M, shutdown: &Shutdown)
    where
        M: Fn(&Peer) -> S,
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S: Sync,
        S::Future: Send,
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let http = Arc::new(Http1::new(self.limits.clone()));
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let acceptor = Acceptor::new(self);
        let make = &make;
        while let Some(accepted) = shutdown.token().run_until_cancelled(acceptor.accept()).await {
            let service = make(&accepted.peer);
            let (http, establish) = (Arc::clone(&http), acceptor.establish(accepted));
            let (drain, cut) = (shutdown.token().child_token(), cut.child_token());
            connections.spawn(async move {
                let serving = async {
                    if let Some(connection) = establish.await {
                        http.serve(connection, service, drain).await;
                    }
                };
                cut.run_until_cancelled(serving).await;
            });
        }
        drop(acceptor);
        connections.close();
        tokio::select! {
            () = connections.wait() => {}
            () = shutdown.expired() => {
                tracing::warn!(connections = connections.len(), "cutting connections that did not end in time");
                cut.cancel();
            }
        }
    }

    /// The accepted (and, with TLS, authenticated) connections as a stream, for `serve_with_incoming` of tonic, which has limits of its
    /// own for requests. Ends when `shutdown` asks to stop.
    #[must_use]
    pub fn incoming(self, shutdown: &Shutdown) -> Incoming {
        Incoming::new(Acceptor::new(self), shutdown)
    }
}

/// The accepting half of a server.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    handshake_timeout: Duration,
    handshakes: Handshakes,
    permits: Arc<Semaphore>,
}

/// A connection before its handshake.
#[derive(Debug)]
pub(super) struct Accepted {
    stream: Stream,
    peer: Peer,
    permit: OwnedSemaphorePermit,
    /// With TLS only.
    handshake: Option<Handshake>,
}

impl Acceptor {
    fn new(server: Server) -> Self {
        let connections_max = server.limits.connections_max();
        Self {
            tls: server.tls,
            handshake_timeout: server.limits.handshake_timeout(),
            handshakes: Handshakes::new(connections_max),
            permits: Arc::new(Semaphore::new(connections_max)),
            listener: server.listener,
        }
    }

    /// The next connection, as soon as the limits allow one more. Never fails: what the operating system lacks may come back.
    pub(super) async fn accept(&self) -> Accepted {
        let mut pause = PAUSE_MIN;
        loop {
            let place = if self.tls.is_some() { Some(self.handshakes.place().await) } else { None };
            let permit = self.permit().await;
            match self.accept_stream().await {
                Ok((stream, address)) => {
                    let handshake = place.map(|place| self.handshakes.begin(place, address));
                    let Some(handshake) = handshake.map_or(Some(None), |begun| begun.map(Some)) else {
                        tracing::debug!(peer = ?address, "too many unfinished TLS handshakes of one address; closed one");
                        continue;
                    };
                    return Accepted {
                        stream,
                        peer: Peer { address, certificates: None, channel_binding: None },
                        permit,
                        handshake,
                    };
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, address = %self.listener.address(), "cannot accept connections; trying again");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// The connection after its handshake; nothing if that failed or took too long.
    pub(super) fn establish(&self, accepted: Accepted) -> impl Future<Output = Option<Connection>> + Send + use<> {
        let (tls, time) = (self.tls.clone().map(TlsAcceptor::from), self.handshake_timeout);
        async move {
            let Accepted { stream, mut peer, permit, handshake: place } = accepted;
            let stream = match (stream, tls) {
                (Stream::Tcp(stream), Some(tls)) => handshake(&tls, time, stream, &mut peer).await?,
                (stream, _) => stream,
            };
            drop(place);
            Some(Connection { stream, peer, _permit: permit })
        }
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    async fn accept_stream(&self) -> io::Result<(Stream, PeerAddress)> {
        match &self.listener.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Stream::Tcp(stream), PeerAddress::Tcp(address)))
            }
            #[cfg(unix)]
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred()?;
                let peer = super::UnixPeer { user_id: peer.uid(), group_id: peer.gid(), process_id: peer.pid() };
                Ok((Stream::Unix(stream), PeerAddress::Unix(peer)))
            }
        }
    }
}

async fn handshake(tls: &TlsAcceptor, time: Duration, stream: TcpStream, peer: &mut Peer) -> Option<Stream> {
    match tokio::time::timeout(time, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let connection = stream.get_ref().1;
            peer.certificates = connection.peer_certificates().map(Arc::from);
            peer.channel_binding = channel_binding(connection);
            Some(Stream::Tls(Box::new(stream)))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, peer = ?peer.address, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(peer = ?peer.address, "TLS handshake took too long");
            None
        }
    }
}

/// Errors of one connection that was gone before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | NotConnected | InvalidInput)
}
