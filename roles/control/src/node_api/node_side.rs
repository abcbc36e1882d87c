// SPDX-License-Identifier: Apache-2.0
//! Everything of control that faces nodes, put together.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Issuer, Random};
use cress_keyring::{KeyEncryptionKeys, KeyRing};
use cress_service::Shutdown;
use cress_service::listen::{Limits, Listener};
use cress_service::tls::TlsError;
use cress_store::control::ControlStore;
use rustls::ServerConfig;

use super::caller::Doorkeeper;
use super::fleet_service::FleetService;
use super::{FLEET_STALE_AFTER, HEARTBEAT, server};
use crate::ca::{CaError, CertificateAuthority, RotationSettings, ServerCertificate};
use crate::enrolment::{EnrolmentParts, EnrolmentService, FailedTries};
use crate::fleet::{Feed, FeedError, FeedParts, FeedWaker, FleetView};
use crate::issue::{IssuerParts, TokenIssuer};
use crate::metrics::Counters;

/// The node-facing side of control, opened but not yet listening.
pub(crate) struct NodeSide {
    fleet: FleetView,
    waker: FeedWaker,
    ca: CertificateAuthority,
    feed: Feed,
    certificate: ServerCertificate,
    tls: Arc<ServerConfig>,
    parts: NodeSideParts,
    settings: NodeSideSettings,
}

/// What it works with.
#[derive(Clone)]
pub(crate) struct NodeSideParts {
    /// Control's store.
    pub(crate) store: ControlStore,
    /// The keys that sign tokens.
    pub(crate) ring: KeyRing,
    /// What protects the certificate authority's private key at rest.
    pub(crate) keys: Arc<KeyEncryptionKeys>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) random: Arc<dyn Random>,
    /// Where it is counted.
    pub(crate) counters: Counters,
}

/// What an operator may set.
#[derive(Debug, Clone)]
pub(crate) struct NodeSideSettings {
    /// Who signs tokens.
    pub(crate) issuer: Issuer,
    /// The DNS names and IP addresses at which nodes reach control.
    pub(crate) names: Vec<String>,
    /// Limits on connections.
    pub(crate) limits: Limits,
    /// When a heartbeat is sent if nothing else was.
    pub(crate) heartbeat: Duration,
    /// How long control signs after it last reached its store.
    pub(crate) fleet_stale_after: Duration,
    /// When certificate authorities change.
    pub(crate) rotation: RotationSettings,
}

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeSideError {
    /// The certificate authority.
    #[error("the certificate authority of the node protocol: {0}")]
    Ca(#[from] CaError),
    /// The first look at the fleet.
    #[error("the view of the fleet cannot be loaded: {0}")]
    Feed(#[from] FeedError),
    /// The server's TLS.
    #[error("the node protocol: {0}")]
    Tls(#[from] TlsError),
}

impl NodeSideSettings {
    /// The defaults for everything but the names and the issuer.
    pub(crate) fn new(issuer: Issuer, names: Vec<String>) -> Self {
        let (heartbeat, fleet_stale_after) = (HEARTBEAT, FLEET_STALE_AFTER);
        let rotation = RotationSettings::default();
        Self { issuer, names, limits: Limits::default(), heartbeat, fleet_stale_after, rotation }
    }
}

impl NodeSide {
    /// Loads or makes the certificate authority, makes the server's certificate and loads the view of the fleet.
    ///
    /// # Errors
    /// [`NodeSideError`]
    pub(crate) async fn open(parts: NodeSideParts, settings: NodeSideSettings) -> Result<Self, NodeSideError> {
        let NodeSideParts { store, keys, clock, random, counters, .. } = parts.clone();
        let ca = CertificateAuthority::open(&store, &keys, settings.rotation, Arc::clone(&clock), random).await?;
        let certificate = ServerCertificate::new(ca.clone(), settings.names.clone())?;
        let tls = server::tls(certificate.identity(), ca.roots(), Arc::clone(&clock))?;
        let (fleet, waker) = (FleetView::new(Arc::clone(&clock), settings.fleet_stale_after), FeedWaker::new());
        let feed = Feed::open(store, fleet.clone(), waker.clone(), FeedParts { clock, counters }).await?;
        Ok(Self { fleet, waker, ca, feed, certificate, tls, parts, settings })
    }

    /// What is placed where, and what nodes say of it.
    pub(crate) const fn fleet(&self) -> &FleetView {
        &self.fleet
    }

    /// To be woken after each write to the store.
    pub(crate) const fn waker(&self) -> &FeedWaker {
        &self.waker
    }

    /// For `ca.pem`, for join tokens, and to wrap its key anew.
    pub(crate) const fn ca(&self) -> &CertificateAuthority {
        &self.ca
    }

    /// Serves nodes on this listener, follows the store and renews the server's certificate until `shutdown` asks to stop.
    pub(crate) fn spawn(self, listener: Listener, shutdown: &Shutdown) {
        let services = (self.fleet_service(shutdown), self.enrolment_service());
        let listening = (listener, self.tls, self.settings.limits);
        shutdown.spawn_vital("follow the store", self.feed.run(shutdown.requested()));
        shutdown.spawn_vital(
            "follow certificate authorities",
            self.ca.clone().follow(self.fleet.clock_trust().clone(), shutdown.requested()),
        );
        shutdown.spawn_vital("renew the node protocol's certificate", self.certificate.run(shutdown.requested()));
        shutdown.spawn_vital("serve nodes", server::serve(listening, services, shutdown.clone()));
    }

    fn fleet_service(&self, shutdown: &Shutdown) -> FleetService {
        let NodeSideParts { store, ring, clock, random, counters, .. } = self.parts.clone();
        let issuer = self.settings.issuer.clone();
        let tokens = IssuerParts {
            fleet: self.fleet.clone(),
            issuer: issuer.clone(),
            clock: Arc::clone(&clock),
            random,
            counters: counters.clone(),
        };
        FleetService {
            doorkeeper: self.doorkeeper(),
            fleet: self.fleet.clone(),
            waker: self.waker.clone(),
            store,
            ring,
            tokens: TokenIssuer::new(tokens),
            issuer,
            counters,
            ca: self.ca.clone(),
            clock,
            shutdown: shutdown.clone(),
            heartbeat: self.settings.heartbeat,
        }
    }

    fn enrolment_service(&self) -> EnrolmentService {
        let NodeSideParts { store, clock, random, counters, .. } = self.parts.clone();
        EnrolmentService::new(EnrolmentParts {
            store,
            ca: self.ca.clone(),
            doorkeeper: self.doorkeeper(),
            fleet: self.fleet.clone(),
            waker: self.waker.clone(),
            tries: FailedTries::new(Arc::clone(&clock)),
            recovery_tries: FailedTries::new(Arc::clone(&clock)),
            clock,
            random,
            counters,
        })
    }

    fn doorkeeper(&self) -> Doorkeeper {
        Doorkeeper::new(self.fleet.clone(), self.waker.clone(), Arc::clone(&self.parts.clock))
    }
}
