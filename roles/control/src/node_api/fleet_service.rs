// SPDX-License-Identifier: Apache-2.0
//! The gRPC service `Fleet`: what an enrolled node does.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cress_api::node_protocol::fleet_server::Fleet;
use cress_api::node_protocol::{ControlUpdate, IssueTokensRequest, IssueTokensResponse, NodeReport};
use cress_domain::limits::{ALLOWED_AUDIENCES_MAX, ISSUE_BATCH_MAX};
use cress_domain::{Clock, Issuer, MachineId};
use cress_keyring::KeyRing;
use cress_service::Shutdown;
use cress_store::control::ControlStore;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::caller::{Caller, Doorkeeper};
use super::downward::{Downward, Updates};
use super::limits::{BATCH_TURN_TIMEOUT, ISSUE_CHUNK, UPDATES_WAITING_MAX};
use super::refusal::{denied, invalid, too_much, unavailable};
use super::upward::Upward;
use crate::ca::CertificateAuthority;
use crate::fleet::{FeedWaker, FleetView, StreamBefore};
use crate::issue::TokenIssuer;
use crate::metrics::Counters;

/// The service.
#[derive(Clone)]
pub(super) struct FleetService {
    pub(super) doorkeeper: Doorkeeper,
    pub(super) fleet: FleetView,
    pub(super) waker: FeedWaker,
    pub(super) store: ControlStore,
    pub(super) ring: KeyRing,
    pub(super) tokens: TokenIssuer,
    pub(super) issuer: Issuer,
    pub(super) counters: Counters,
    pub(super) ca: CertificateAuthority,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: Shutdown,
    pub(super) heartbeat: Duration,
}

#[tonic::async_trait]
impl Fleet for FleetService {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<ControlUpdate, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<NodeReport>>) -> Result<Response<Self::SyncStream>, Status> {
        let caller = self.doorkeeper.admit(request.extensions()).await?;
        self.check_fresh()?;
        let (updates, receiver) = mpsc::channel(UPDATES_WAITING_MAX);
        let (downward, upward) = self.halves(caller, request.into_inner(), updates.clone())?;
        let stopping = self.shutdown.requested();
        self.shutdown.spawn("a node's stream", serve(downward, upward, updates, stopping));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn issue_tokens(
        &self,
        request: Request<IssueTokensRequest>,
    ) -> Result<Response<IssueTokensResponse>, Status> {
        let caller = self.doorkeeper.admit(request.extensions()).await?;
        self.check_fresh()?;
        let requests = request.into_inner().requests;
        if requests.len() > ISSUE_BATCH_MAX {
            let got = requests.len();
            return Err(invalid(format!(
                "expected at most {ISSUE_BATCH_MAX} tokens to be asked for at once, got {got}"
            )));
        }
        self.check_duplicates(caller.machine, requests.len())?;
        let _turn = self.turn(caller.machine).await?;
        let control_time = self.clock.now().unix_microseconds();
        let view = self.ring.current();
        let mut results = Vec::with_capacity(requests.len());
        for (index, chunk) in requests.chunks(ISSUE_CHUNK).enumerate() {
            if index > 0 {
                tokio::task::yield_now().await;
            }
            results.append(&mut self.tokens.issue(caller.machine, &view, chunk));
        }
        Ok(Response::new(IssueTokensResponse { results, control_time }))
    }
}

impl FleetService {
    fn check_fresh(&self) -> Result<(), Status> {
        self.fleet.check_fresh().map_err(|stale| unavailable(stale.to_string()))
    }

    /// One token for each audience of each instance is all that a node can need at once; one instance more may just have ended.
    fn check_duplicates(&self, machine: MachineId, asked: usize) -> Result<(), Status> {
        let per_instance = ALLOWED_AUDIENCES_MAX + 1;
        let placed = usize::try_from(self.fleet.placed_on(machine)).unwrap_or(usize::MAX);
        let most = per_instance.saturating_mul(placed.saturating_add(1));
        if asked <= most {
            return Ok(());
        }
        Err(too_much(format!(
            "expected at most {per_instance} tokens to be asked for at once for each instance that is placed on this node, got {asked} in all"
        )))
    }

    /// Few of a node's batches are signed at once, so that no node takes every thread.
    async fn turn(&self, machine: MachineId) -> Result<OwnedSemaphorePermit, Status> {
        let gone = || denied("this node is no longer a member of the fleet; enrol with a new join token");
        let batches = self.fleet.batches(machine).ok_or_else(gone)?;
        match tokio::time::timeout(BATCH_TURN_TIMEOUT, batches.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(too_much("this node has too many batches under way; ask for fewer at once")),
        }
    }

    fn halves(
        &self,
        caller: Caller,
        reports: Streaming<NodeReport>,
        updates: Updates,
    ) -> Result<(Downward, Upward), Status> {
        let machine = caller.machine;
        // It was banned or removed since it was admitted.
        let gone = || denied("this node is banned, or no longer a member of the fleet");
        let (subscription, before) = self.fleet.subscribe(machine).ok_or_else(gone)?;
        if before == StreamBefore::Replaced {
            tracing::info!(%machine, "a node opened another stream, so its first one ends");
        }
        let downward = Downward {
            caller,
            doorkeeper: self.doorkeeper.clone(),
            subscription,
            keys: self.ring.subscribe(),
            authorities: self.ca.subscribe(),
            issuer: self.issuer.clone(),
            clock: Arc::clone(&self.clock),
            heartbeat: self.heartbeat,
            updates,
        };
        let (fleet, store, waker) = (self.fleet.clone(), self.store.clone(), self.waker.clone());
        Ok((
            downward,
            Upward {
                machine,
                fleet,
                store,
                waker,
                counters: self.counters.clone(),
                clock: Arc::clone(&self.clock),
                reports,
            },
        ))
    }
}

/// Serves both halves until one of them ends; whatever still waits of the other is dropped.
async fn serve(mut downward: Downward, upward: Upward, updates: Updates, stopping: impl Future<Output = ()> + Send) {
    let machine = downward.caller.machine;
    let downward = async move {
        match downward.tell_trust().await {
            Ok(()) => downward.run().await,
            Err(status) => status,
        }
    };
    let end = tokio::select! {
        end = downward => end,
        end = upward.run() => end,
        () = updates.closed() => Status::cancelled("the node closed its stream"),
        () = stopping => unavailable("control is stopping; connect again"),
    };
    tracing::info!(%machine, code = ?end.code(), reason = end.message(), "a node's stream ended");
    if end.code() != tonic::Code::Ok {
        // There may be no room or no one left to tell; closing says enough then.
        updates.try_send(Err(end)).ok();
    }
}
