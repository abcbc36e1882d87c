// SPDX-License-Identifier: Apache-2.0
//! Who calls: a node, by the certificate that the TLS handshake verified, and by nothing that the call itself says.
//!
//! The handshake proves that the certificate comes from a trusted authority and that the caller has its key. What it cannot know is
//! checked here on each call: that the certificate is still valid (connections live long), that the node is still of the fleet and not
//! banned, and that its key is the one with which it enrolled.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use cress_domain::{Clock, MachineId, Timestamp};
use cress_service::listen::Peer;
use cress_store::KeyFingerprint;
use tonic::{Extensions, Status};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::refusal::{denied, unauthenticated, unavailable};
use crate::ca::{NODE_URN_PREFIX, key_fingerprint};
use crate::fleet::{FeedWaker, FleetView, NodeFacts, NodeStanding, Refreshed};

/// Removed machines that are remembered at once.
const UNKNOWN_MAX: usize = 4_096;

const BANNED: &str = "this node is banned; only a new node key and a new join token let this machine join again";

/// An admitted node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its id.
    pub(crate) machine: MachineId,
    /// The key that it has proved.
    pub(crate) key_fingerprint: KeyFingerprint,
    /// When its certificate ends.
    pub(crate) not_after: Timestamp,
}

/// Admits nodes.
#[derive(Clone)]
pub(crate) struct Doorkeeper {
    fleet: FleetView,
    waker: FeedWaker,
    clock: Arc<dyn Clock>,
    unknown: Unknown,
}

/// Machines with a good certificate that the store did not know when it was asked: they were removed. None of them comes back, since
/// whoever joins gets a fresh id, and the certificate only after the store has it; so the store is not asked of them again.
#[derive(Debug, Clone, Default)]
struct Unknown(Arc<Mutex<HashSet<MachineId>>>);

impl Unknown {
    fn contains(&self, machine: MachineId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&machine)
    }

    fn insert(&self, machine: MachineId) {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if machines.len() >= UNKNOWN_MAX {
            machines.clear();
        }
        machines.insert(machine);
    }
}

impl Doorkeeper {
    /// One that knows this fleet.
    pub(crate) fn new(fleet: FleetView, waker: FeedWaker, clock: Arc<dyn Clock>) -> Self {
        Self { fleet, waker, clock, unknown: Unknown::default() }
    }

    /// The node behind a call.
    ///
    /// # Errors
    /// A status that says why it is not admitted.
    pub(crate) async fn admit(&self, extensions: &Extensions) -> Result<Caller, Status> {
        let caller = caller(extensions)?;
        self.check_time(&caller)?;
        check_standing(&caller, self.facts(caller.machine).await?)?;
        Ok(caller)
    }

    /// Lets in whoever has proved this key otherwise than by a certificate, if it is this node's. The answer to anyone else does not tell
    /// whether there is such a node.
    ///
    /// # Errors
    /// A status that says why it is not admitted.
    pub(crate) async fn admit_key(&self, machine: MachineId, key: KeyFingerprint) -> Result<(), Status> {
        match self.facts(machine).await? {
            Some(facts) if facts.key_fingerprint == key => match facts.standing {
                NodeStanding::Active => Ok(()),
                NodeStanding::Banned => Err(denied(BANNED)),
            },
            _ => Err(denied("control knows no node with this machine id and key; enrol with a new join token")),
        }
    }

    /// Whether this is an active node with this key, without asking the store.
    pub(crate) fn knows(&self, machine: MachineId, key: KeyFingerprint) -> bool {
        let is_this = |facts: NodeFacts| facts.key_fingerprint == key && facts.standing == NodeStanding::Active;
        self.fleet.node(machine).is_some_and(is_this)
    }

    async fn facts(&self, machine: MachineId) -> Result<Option<NodeFacts>, Status> {
        let facts = self.fleet.node(machine);
        // It may have enrolled a moment ago, perhaps with another replica.
        if facts.is_some() || self.unknown.contains(machine) {
            return Ok(facts);
        }
        let facts = match self.waker.refreshed().await {
            Refreshed::Yes => self.fleet.node(machine),
            Refreshed::NotYet => {
                return Err(unavailable("control does not reach its store to look up this node; try again later"));
            }
        };
        if facts.is_none() {
            self.unknown.insert(machine);
        }
        Ok(facts)
    }

    /// The node behind a connection, by its certificate alone; none if that names no node.
    pub(super) fn certified(peer: &Peer) -> Option<Caller> {
        of_certificate(peer.certificates.as_ref()?.first()?)
    }

    /// Whether it may be served, by what is known here and now; one that enrolled a moment ago may not be known yet.
    pub(super) fn is_member(&self, caller: &Caller) -> bool {
        self.clock.now() <= caller.not_after && check_standing(caller, self.fleet.node(caller.machine)).is_ok()
    }

    /// Whether this machine's clock may be gone by: a node never forgets what time it was told.
    ///
    /// # Errors
    /// A status that says that it may not.
    pub(crate) fn check_clock(&self) -> Result<(), Status> {
        self.fleet.clock_trust().check().map_err(|off| unavailable(format!("{off}; try again later")))
    }

    /// Whether the caller's certificate is still valid: to be asked again while a stream is open.
    ///
    /// # Errors
    /// A status that says that it is over, or that nobody here knows.
    pub(crate) fn check_time(&self, caller: &Caller) -> Result<(), Status> {
        self.check_clock()?;
        if self.clock.now() <= caller.not_after {
            return Ok(());
        }
        let not_after = caller.not_after;
        Err(unauthenticated(format!("the node's certificate expired at {not_after}; connect again with a renewed one")))
    }
}

fn check_standing(caller: &Caller, facts: Option<NodeFacts>) -> Result<(), Status> {
    match facts {
        None => Err(denied("this node is not, or no longer, a member of the fleet; enrol with a new join token")),
        Some(NodeFacts { standing: NodeStanding::Banned, .. }) => Err(denied(BANNED)),
        Some(facts) if facts.key_fingerprint != caller.key_fingerprint => {
            Err(denied("expected a certificate for the key with which this node enrolled, got one for another key"))
        }
        Some(_) => Ok(()),
    }
}

fn caller(extensions: &Extensions) -> Result<Caller, Status> {
    let chain = extensions.get::<Peer>().and_then(|peer| peer.certificates.as_ref());
    let certificate = chain.and_then(|chain| chain.first());
    let certificate = certificate
        .ok_or_else(|| unauthenticated("expected a node's certificate, got none; enrol with a join token first"))?;
    of_certificate(certificate).ok_or_else(|| {
        unauthenticated("expected a certificate that control made for a node, got one that names no node")
    })
}

fn of_certificate(der: &[u8]) -> Option<Caller> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(Caller {
        machine: machine(&certificate)?,
        key_fingerprint: key_fingerprint(certificate.public_key().raw),
        not_after: Timestamp::from_unix_seconds(certificate.validity().not_after.timestamp()),
    })
}

/// Exactly one name, so that there is nothing to choose between.
fn machine(certificate: &X509Certificate<'_>) -> Option<MachineId> {
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    match names.as_slice() {
        [GeneralName::URI(urn)] => urn.strip_prefix(NODE_URN_PREFIX)?.parse().ok(),
        _ => None,
    }
}
