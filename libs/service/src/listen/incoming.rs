// SPDX-License-Identifier: Apache-2.0
//! Connections as a stream, for servers that bring their own HTTP (tonic).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio_stream::Stream;

use super::connection::Connection;
use super::server::Acceptor;
use crate::Shutdown;

/// How many connections wait between handshake and server.
const READY_MAX: usize = 16;

/// Connections that are ready to be served. It ends when the process stops; it never yields an error, which would end tonic's server.
#[derive(Debug)]
pub struct Incoming(mpsc::Receiver<Connection>);

impl Incoming {
    pub(super) fn new(acceptor: Acceptor, shutdown: &Shutdown) -> Self {
        let (sender, receiver) = mpsc::channel(READY_MAX);
        let stop = shutdown.token().clone();
        shutdown.spawn("accept connections", async move {
            let acceptor = Arc::new(acceptor);
            let accept = async {
                while !sender.is_closed() {
                    let accepted = acceptor.accept().await;
                    let (establish, sender) = (acceptor.establish(accepted), sender.clone());
                    // Handshakes run side by side, so that a slow one delays nobody.
                    tokio::spawn(async move {
                        if let Some(connection) = establish.await {
                            // A server that is gone needs no connections.
                            sender.send(connection).await.ok();
                        }
                    });
                }
            };
            tokio::select! {
                () = accept => {}
                () = sender.closed() => {}
                () = stop.cancelled() => {}
            }
        });
        Self(receiver)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|connection| connection.map(Ok))
    }
}
