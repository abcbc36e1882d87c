// SPDX-License-Identifier: Apache-2.0
//! The link to control: one connection at a time, made again with patience whenever it is lost. While it is away the node
//! goes on with what it was told last.
//!
//! Control is believed what its certificate proves: that it is control. What it sends is parsed like any input, item by
//! item; a malformed item is refused with a line in the log and harms no other.

mod complaints;
mod connection;
mod issuance;
mod pieces;
mod session;
mod target;

use std::sync::Arc;
use std::time::Duration;

use cress_domain::Random;
use tokio_util::sync::CancellationToken;

pub(crate) use connection::{Connection, ConnectionSender};
pub(crate) use issuance::ControlTokens;
pub(crate) use target::{ConnectError, Target, words};

use crate::backoff::Backoff;
use crate::instances::Instances;
use crate::membership::{Membership, NotRecovered};
use crate::metrics::NodeMetrics;
use crate::tokens::TokenCache;
use complaints::Complaints;
use session::{Session, SessionEnd};

const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The wait after control said that this node is no member any more.
const REFUSED_RETRY: Duration = Duration::from_secs(30);
/// A session of this length was a good one: the next failure is the first again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Bytes that an agent makes at random when it starts.
pub(crate) const BOOT_ID_BYTES: usize = 16;

/// What the link needs.
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) capacity: u32,
    /// Tells this agent from another one that has a copy of its key.
    pub(crate) boot_id: [u8; BOOT_ID_BYTES],
    pub(crate) membership: Arc<Membership>,
    pub(crate) connection: ConnectionSender,
    pub(crate) instances: Instances,
    pub(crate) tokens: TokenCache,
    pub(crate) metrics: NodeMetrics,
    pub(crate) random: Arc<dyn Random>,
}

/// How patient the link is at the moment.
struct Patience {
    backoff: Backoff,
    complaints: Complaints,
}

impl Link {
    /// Keeps the link up until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let backoff = Backoff::new(RETRY_FIRST, RETRY_MAX, Arc::clone(&self.random));
        let mut patience = Patience { backoff, complaints: Complaints::default() };
        stop.run_until_cancelled(async {
            loop {
                let wait = self.once(&mut patience).await;
                tokio::time::sleep(wait).await;
            }
        })
        .await;
        self.connection.close();
    }

    /// One connection from begin to end; returns how long to wait before the next.
    async fn once(&self, patience: &mut Patience) -> Duration {
        let address = self.target.address();
        let certificate_until = self.membership.not_after();
        let channel = match self.target.connect(&self.membership.tls()).await {
            Ok(channel) => channel,
            Err(error @ ConnectError::Broken { .. }) => return self.recover(&error.to_string(), patience).await,
            Err(error) => return patience.after(&error.to_string(), &address),
        };
        let began = tokio::time::Instant::now();
        let end = Session::new(self, channel, certificate_until).run().await;
        self.connection.close();
        self.metrics.set_connected(false);
        if began.elapsed() >= STABLE_AFTER {
            patience.reset();
        }
        match end {
            SessionEnd::CertificateRenewed => {
                tracing::debug!("connecting anew with the renewed certificate");
                Duration::ZERO
            }
            SessionEnd::NotAdmitted(reason) => self.recover(&reason, patience).await,
            SessionEnd::Refused(reason) => self.refused(&reason),
            SessionEnd::Lost(reason) => patience.after(&reason, &address),
        }
    }

    /// Perhaps control does not accept this node's certificate any more: its key may get it another. If control is just away, this finds
    /// out nothing and changes nothing.
    async fn recover(&self, reason: &str, patience: &mut Patience) -> Duration {
        match self.membership.recover(&self.target).await {
            Ok(()) => {
                let until = self.membership.not_after();
                tracing::info!(reason, certificate_until = %until, "control did not accept this node's certificate; it proved its key and got another");
                self.metrics.certificate_recovered();
                Duration::ZERO
            }
            Err(NotRecovered::Refused(reason)) => self.refused(&reason),
            Err(NotRecovered::Later(why)) => patience.after(&format!("{reason}; {why}"), &self.target.address()),
        }
    }

    fn refused(&self, reason: &str) -> Duration {
        let address = self.target.address();
        tracing::error!(
            reason,
            address,
            "control does not admit this node, so its instances end; it asks again from time to time"
        );
        self.instances.end_all();
        REFUSED_RETRY
    }
}

impl Patience {
    fn after(&mut self, reason: &str, address: &str) -> Duration {
        let wait = self.backoff.wait();
        if self.complaints.is_due() {
            tracing::warn!(reason, address, "no link to control; instances run on, and it is tried again and again");
        } else {
            tracing::debug!(reason, address, retry_seconds = wait.as_secs_f32(), "no link to control");
        }
        wait
    }

    fn reset(&mut self) {
        self.backoff.reset();
        self.complaints.reset();
    }
}

/// For the fuzz targets: reads a snapshot as a session does.
#[cfg(fuzzing)]
pub(crate) fn read_snapshot(piece: cress_api::node_protocol::AssignmentSnapshot) {
    drop(pieces::Pieces::default().add(piece));
}

/// For the fuzz targets: reads a change as a session does.
#[cfg(fuzzing)]
pub(crate) fn read_placed(placed: Vec<cress_api::node_protocol::Assignment>) {
    drop(pieces::parse(placed));
}
