// SPDX-License-Identifier: Apache-2.0
//! The downward half of a node's stream: the keys, what to run, changes, and a heartbeat when there is nothing to say.

use std::sync::Arc;
use std::time::Duration;

use cress_api::node_protocol::control_update::Update as WireUpdate;
use cress_api::node_protocol::{Authorities, ControlUpdate};
use cress_domain::{Clock, Issuer};
use cress_keyring::RingView;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::caller::{Caller, Doorkeeper};
use super::refusal::{denied, unavailable};
use super::wire;
use crate::fleet::{StreamEnd, Subscription, Update};

/// How long a node may leave a message unread.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Messages on their way, or the status that ends the stream.
pub(super) type Updates = mpsc::Sender<Result<ControlUpdate, Status>>;

pub(super) struct Downward {
    pub(super) caller: Caller,
    pub(super) doorkeeper: Doorkeeper,
    pub(super) subscription: Subscription,
    pub(super) keys: watch::Receiver<Arc<RingView>>,
    pub(super) authorities: watch::Receiver<Arc<str>>,
    pub(super) issuer: Issuer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) heartbeat: Duration,
    pub(super) updates: Updates,
}

impl Downward {
    /// Runs until the stream is to end, and returns why.
    pub(super) async fn run(mut self) -> Status {
        loop {
            match self.tell().await {
                Ok(()) => {}
                Err(status) => return status,
            }
        }
    }

    /// Tells first whom to trust: a node can check no token without the keys, and must know the authorities of tomorrow today.
    pub(super) async fn tell_trust(&mut self) -> Result<(), Status> {
        self.tell_authorities().await?;
        self.tell_keys().await
    }

    async fn tell_authorities(&mut self) -> Result<(), Status> {
        let authorities_pem = self.authorities.borrow_and_update().to_string();
        self.send(WireUpdate::Authorities(Authorities { authorities_pem })).await
    }

    async fn tell_keys(&mut self) -> Result<(), Status> {
        let view = Arc::clone(&self.keys.borrow_and_update());
        self.send(wire::key_set(&self.issuer, view.body.as_ref())).await
    }

    async fn tell(&mut self) -> Result<(), Status> {
        self.doorkeeper.check_time(&self.caller)?;
        tokio::select! {
            update = self.subscription.next() => self.tell_update(update).await,
            changed = self.keys.changed() => match changed {
                Ok(()) => self.tell_keys().await,
                Err(_) => Err(unavailable("control is stopping; connect again")),
            },
            changed = self.authorities.changed() => match changed {
                Ok(()) => self.tell_authorities().await,
                Err(_) => Err(unavailable("control is stopping; connect again")),
            },
            () = tokio::time::sleep(self.heartbeat) => self.send(wire::heartbeat()).await,
        }
    }

    async fn tell_update(&self, update: Update) -> Result<(), Status> {
        match update {
            Update::Snapshot(placed) => self.send_all(wire::snapshot(&placed)).await,
            Update::Change { placed, ended } => self.send_all(wire::changes(&placed, &ended)).await,
            Update::End(end) => Err(self.end(end)),
        }
    }

    async fn send_all(&self, updates: impl Iterator<Item = WireUpdate> + Send) -> Result<(), Status> {
        for update in updates {
            self.send(update).await?;
        }
        Ok(())
    }

    fn end(&self, end: StreamEnd) -> Status {
        let machine = self.caller.machine;
        match end {
            StreamEnd::Replaced => Status::aborted("the same node opened another stream; only the newest is served"),
            StreamEnd::Banned => {
                tracing::info!(%machine, "cut the stream of a banned node");
                denied("this node is banned; only a new node key and a new join token let this machine join again")
            }
            StreamEnd::Removed => {
                tracing::info!(%machine, "cut the stream of a removed node");
                denied("this node is no longer a member of the fleet; enrol with a new join token")
            }
        }
    }

    async fn send(&self, update: WireUpdate) -> Result<(), Status> {
        self.doorkeeper.check_clock()?;
        let message = wire::message(self.clock.now(), update);
        match self.updates.send_timeout(Ok(message), SEND_TIMEOUT).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Status::deadline_exceeded("the node did not read its stream for too long")),
        }
    }
}
