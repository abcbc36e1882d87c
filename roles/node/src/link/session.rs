// SPDX-License-Identifier: Apache-2.0
//! One stream with control: reports up, updates down, until either side is gone.

use std::time::Duration;

use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::fleet_client::FleetClient;
use cress_api::node_protocol::{
    AssignmentChange, ControlUpdate, Hello, InstanceReport, InstanceReports, KeySet, MESSAGE_BYTES_MAX, NodeReport,
    node_report,
};
use cress_domain::{InstanceId, Issuer, Timestamp};
use cress_jose::JwkSet;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::Link;
use super::pieces::{Malformed, Parsed, Pieces, parse};
use super::target::words;

/// Longest silence of control before it is taken for dead; its heartbeats come more often.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Shortest time between two messages upward: what changes meanwhile goes together.
const REPORT_PERIOD: Duration = Duration::from_millis(250);
/// Reports in one message.
const REPORTS_MAX: usize = 1_000;
/// Messages upward that wait for the network.
const OUTGOING_MAX: usize = 8;
/// A connection is replaced this long before the certificate that it was made with expires, if there is a newer one.
const REPLACE_AHEAD: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(10);

/// A stream under way.
pub(super) struct Session<'a> {
    link: &'a Link,
    channel: Channel,
    /// The end of the certificate that the connection was made with.
    certificate_until: Timestamp,
}

/// Why a session is over.
pub(super) enum SessionEnd {
    /// The connection failed, or control closed it.
    Lost(String),
    /// Control admitted nobody with this certificate: the connection broke when it was made, or the first call was not answered.
    NotAdmitted(String),
    /// Control says that this node is not, or no longer, a member.
    Refused(String),
    /// The connection's certificate is about to expire, and there is a newer one.
    CertificateRenewed,
}

impl<'a> Session<'a> {
    pub(super) const fn new(link: &'a Link, channel: Channel, certificate_until: Timestamp) -> Self {
        Self { link, channel, certificate_until }
    }

    pub(super) async fn run(self) -> SessionEnd {
        let (outgoing, reports) = mpsc::channel(OUTGOING_MAX);
        let hello = Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            capacity: self.link.capacity,
            boot_id: self.link.boot_id.to_vec(),
        };
        let _room_for_the_first = outgoing.try_send(message(node_report::Report::Hello(hello)));
        let mut client = FleetClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let opened = tokio::time::timeout(SILENCE_MAX, client.sync(ReceiverStream::new(reports))).await;
        let updates = match opened {
            Ok(Ok(opened)) => opened.into_inner(),
            Ok(Err(status)) => return not_opened(&status),
            Err(_elapsed) => return silent(),
        };
        self.link.connection.open(self.channel.clone());
        self.link.tokens.wake();
        self.link.metrics.set_connected(true);
        tracing::info!(address = self.link.target.address(), "linked to control");
        tokio::select! {
            end = self.receive(updates) => end,
            () = self.report(outgoing) => SessionEnd::Lost("control takes no more reports".to_owned()),
            () = self.certificate_is_to_be_replaced() => SessionEnd::CertificateRenewed,
        }
    }

    async fn receive(&self, mut updates: Streaming<ControlUpdate>) -> SessionEnd {
        let mut pieces = Pieces::default();
        loop {
            match tokio::time::timeout(SILENCE_MAX, updates.message()).await {
                Ok(Ok(Some(update))) => {
                    if let Err(malformed) = self.take(update, &mut pieces) {
                        return SessionEnd::Lost(malformed.to_string());
                    }
                }
                Ok(Ok(None)) => return SessionEnd::Lost("control closed the stream".to_owned()),
                Ok(Err(status)) => return end(&status),
                Err(_elapsed) => return silent(),
            }
        }
    }

    fn take(&self, update: ControlUpdate, pieces: &mut Pieces) -> Result<(), Malformed> {
        self.link.membership.learn_time(Timestamp::from_unix_microseconds(update.control_time));
        match update.update {
            Some(Update::KeySet(keys)) => self.take_keys(&keys),
            Some(Update::Snapshot(piece)) => {
                if let Some(snapshot) = pieces.add(piece)? {
                    self.take_snapshot(snapshot);
                }
            }
            Some(Update::Change(change)) => {
                pieces.check_change()?;
                self.take_change(change);
            }
            Some(Update::Authorities(authorities)) => {
                if let Err(error) = self.link.membership.trust(&authorities.authorities_pem) {
                    tracing::error!(%error, "control's authorities cannot be used; those before stay trusted");
                }
            }
            Some(Update::Heartbeat(_)) => {}
            None => tracing::debug!("control sent an update that this version of the agent does not know"),
        }
        Ok(())
    }

    fn take_keys(&self, keys: &KeySet) {
        let issuer = keys.issuer.parse::<Issuer>().map_err(|error| error.to_string());
        let set = JwkSet::parse(&keys.jwks).map_err(|error| error.to_string());
        match issuer.and_then(|issuer| Ok((issuer, set?))) {
            Ok((issuer, set)) => self.link.tokens.set_keys(issuer, cress_token::KeySet::new(&set)),
            Err(error) => tracing::error!(error, "control's key set cannot be used; the one before stays in use"),
        }
    }

    /// An item that cannot be read still says that its instance is to go on.
    fn take_snapshot(&self, (placed, refused): Parsed) {
        tracing::debug!(placed = placed.len(), refused = refused.len(), "control sent what is placed on this node");
        self.link.instances.replace(placed, refused);
    }

    fn take_change(&self, change: AssignmentChange) {
        let (placed, refused) = parse(change.placed);
        let ended = change.ended.iter().filter_map(|id| match id.parse::<InstanceId>() {
            Ok(id) => Some(id),
            Err(error) => {
                tracing::error!(%error, "control ended something that is no instance");
                None
            }
        });
        self.link.instances.change(placed, refused, ended.collect());
    }

    /// Everything at first, and then what changes. Ends when the stream is gone.
    async fn report(&self, outgoing: mpsc::Sender<NodeReport>) {
        let reports = self.link.instances.reports();
        let mut due = reports.take_all();
        loop {
            for instances in due.chunks(REPORTS_MAX).map(<[InstanceReport]>::to_vec) {
                let instances = node_report::Report::Instances(InstanceReports { instances });
                if outgoing.send(message(instances)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(REPORT_PERIOD).await;
            tokio::select! {
                () = reports.changed() => {}
                () = outgoing.closed() => return,
            }
            due = reports.take_changed();
        }
    }

    async fn certificate_is_to_be_replaced(&self) {
        let membership = &self.link.membership;
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            let nears_its_end = membership.now() + REPLACE_AHEAD >= self.certificate_until;
            if nears_its_end && membership.not_after() > self.certificate_until {
                return;
            }
        }
    }
}

fn message(report: node_report::Report) -> NodeReport {
    NodeReport { report: Some(report) }
}

fn end(status: &Status) -> SessionEnd {
    match status.code() {
        Code::PermissionDenied => SessionEnd::Refused(status.message().to_owned()),
        _ => SessionEnd::Lost(words(status)),
    }
}

/// In TLS 1.3 a server that refuses a certificate says so after the client's handshake: the first call finds the connection broken.
fn not_opened(status: &Status) -> SessionEnd {
    let is_broken = std::error::Error::source(status).is_some();
    if status.code() == Code::Unauthenticated || is_broken {
        SessionEnd::NotAdmitted(words(status))
    } else {
        end(status)
    }
}

fn silent() -> SessionEnd {
    SessionEnd::Lost(format!("nothing came from control for {} s", SILENCE_MAX.as_secs()))
}
