// SPDX-License-Identifier: Apache-2.0
//! The channel of the moment, shared by all who call control beside the stream.

use tokio::sync::watch;
use tonic::transport::Channel;

/// The link's end: says which channel is good.
#[derive(Debug)]
pub(crate) struct ConnectionSender(watch::Sender<Option<Channel>>);

/// The callers' end.
#[derive(Debug, Clone)]
pub(crate) struct Connection(watch::Receiver<Option<Channel>>);

impl ConnectionSender {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(crate) fn subscribe(&self) -> Connection {
        Connection(self.0.subscribe())
    }

    pub(super) fn open(&self, channel: Channel) {
        self.0.send_replace(Some(channel));
    }

    pub(super) fn close(&self) {
        self.0.send_replace(None);
    }
}

impl Connection {
    /// The channel, if there is one now.
    pub(crate) fn current(&self) -> Option<Channel> {
        self.0.borrow().clone()
    }

    /// The channel, as soon as there is one. Callers bound the wait.
    pub(crate) async fn channel(&self) -> Channel {
        let mut receiver = self.0.clone();
        let channel = receiver.wait_for(Option::is_some).await.ok().and_then(|channel| channel.clone());
        match channel {
            Some(channel) => channel,
            // The process stops.
            None => std::future::pending().await,
        }
    }
}
