// SPDX-License-Identifier: Apache-2.0
//! The gRPC service `Enrolment`.

use std::net::IpAddr;
use std::sync::Arc;

use cress_api::node_protocol::enrolment_server::Enrolment;
use cress_api::node_protocol::{
    Certificate, EnrolRequest, EnrolResponse, RecoverRequest, RecoverResponse, RenewRequest, RenewResponse,
};
use cress_domain::{Clock, MachineId, Random, Secret};
use cress_service::listen::{Peer, PeerAddress};
use cress_store::control::{CertificateRenewal, ControlStore, JoinOutcome, JoinRefusal, JoinRequest, NodeRecord};
use tonic::{Code, Extensions, Request, Response, Status};

use super::failed_tries::FailedTries;
use super::secret::{is_well_formed, secret_hash};
use crate::ca::{CertificateAuthority, NodeKey, Validity};
use crate::fleet::{Deed, FeedWaker, FleetView};
use crate::metrics::{Counters, EnrolmentOutcome, StorePart};
use crate::node_api::{Doorkeeper, check_capacity, denied, internal, invalid, store_failed, too_much, unauthenticated};

const NODE_NAME_BYTES_MAX: usize = 255;

/// The service. Clones are the same.
#[derive(Clone)]
pub(crate) struct EnrolmentService(Arc<EnrolmentParts>);

/// What it works with.
pub(crate) struct EnrolmentParts {
    /// Where join tokens and nodes are.
    pub(crate) store: ControlStore,
    /// Who signs certificates.
    pub(crate) ca: CertificateAuthority,
    /// Who admits nodes that are members.
    pub(crate) doorkeeper: Doorkeeper,
    /// How often a member may have its certificate renewed.
    pub(crate) fleet: FleetView,
    /// Whom to tell of a new node.
    pub(crate) waker: FeedWaker,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where machine ids come from.
    pub(crate) random: Arc<dyn Random>,
    /// Who has failed too often.
    pub(crate) tries: FailedTries,
    /// Who has failed too often to prove a node's key: counted apart, since removed nodes go on trying.
    pub(crate) recovery_tries: FailedTries,
    /// Where it is counted.
    pub(crate) counters: Counters,
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let parts = &self.0;
        let address = address(request.extensions());
        parts.tries.check(address).map_err(|error| too_much(error.to_string()))?;
        let enrolled = parts.enrol(request.into_inner()).await;
        parts.tries.note_refusal(address, &enrolled);
        parts.count(&enrolled, EnrolmentOutcome::enrolled);
        enrolled.map(Response::new)
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let renewed = self.0.renew(request).await;
        self.0.count(&renewed, EnrolmentOutcome::renewed);
        renewed.map(Response::new)
    }

    async fn recover(&self, request: Request<RecoverRequest>) -> Result<Response<RecoverResponse>, Status> {
        let parts = &self.0;
        let recovered = parts.recover(request).await;
        parts.count(&recovered, EnrolmentOutcome::recovered);
        recovered.map(Response::new)
    }
}

impl EnrolmentService {
    /// One that works with these parts.
    pub(crate) fn new(parts: EnrolmentParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl EnrolmentParts {
    async fn enrol(&self, request: EnrolRequest) -> Result<EnrolResponse, Status> {
        let EnrolRequest { join_token, certificate_signing_request, node_name, capacity } = request;
        let secret = Secret::new(join_token);
        if !is_well_formed(&secret) {
            return Err(invalid("expected the secret of a join token, 43 characters of base64url, got something else"));
        }
        self.doorkeeper.check_clock()?;
        check_name(&node_name)?;
        check_capacity(capacity)?;
        let key = NodeKey::of_request(&certificate_signing_request).map_err(|error| invalid(error.to_string()))?;
        let validity = self.ca.node_validity().map_err(|error| internal(&error))?;
        let wish = JoinRequest {
            secret_hash: secret_hash(&secret),
            key_fingerprint: key.fingerprint(),
            new_machine_id: MachineId::generate(self.random.as_ref()),
            name: node_name,
            capacity,
            certificate_not_after: validity.not_after(),
        };
        let node = self.join(&wish).await?;
        let certificate = self.certificate(node.machine_id, &key, validity)?;
        self.waker.wake();
        tracing::info!(machine = %node.machine_id, name = %node.name, capacity = node.capacity, "a node enrolled");
        Ok(EnrolResponse { machine_id: node.machine_id.to_string(), certificate: Some(certificate) })
    }

    async fn join(&self, wish: &JoinRequest) -> Result<NodeRecord, Status> {
        let outcome = self.store.join_node(wish, self.clock.now()).await.map_err(|error| {
            self.counters.store_failed(StorePart::enrolment);
            store_failed(&error)
        })?;
        match outcome {
            JoinOutcome::Joined(node) => Ok(node),
            JoinOutcome::Refused(refusal) => {
                tracing::info!(?refusal, key = %wish.key_fingerprint, "a node was refused");
                Err(refused(refusal))
            }
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<RenewResponse, Status> {
        let caller = self.doorkeeper.admit(request.extensions()).await?;
        let request = request.into_inner().certificate_signing_request;
        let key = NodeKey::of_request(&request).map_err(|error| invalid(error.to_string()))?;
        // A change of the key whose answer got lost would lock the node out.
        if key.fingerprint() != caller.key_fingerprint {
            return Err(invalid(
                "expected a request for the key with which this node enrolled, got one for another key",
            ));
        }
        let certificate = self.fresh_certificate(caller.machine, &key).await?;
        tracing::debug!(machine = %caller.machine, "renewed a node's certificate");
        Ok(RenewResponse { certificate: Some(certificate) })
    }

    /// Another certificate for a member: paced, and written down before it is made.
    pub(super) async fn fresh_certificate(&self, machine: MachineId, key: &NodeKey) -> Result<Certificate, Status> {
        self.doorkeeper.check_clock()?;
        if !self.fleet.may(machine, Deed::Renew) {
            return Err(too_much("this node had its certificate renewed too often; try again in a minute"));
        }
        let validity = self.ca.node_validity().map_err(|error| internal(&error))?;
        let recorded = self.store.record_certificate(machine, key.fingerprint(), validity.not_after()).await;
        match recorded.map_err(|error| {
            self.counters.store_failed(StorePart::enrolment);
            store_failed(&error)
        })? {
            CertificateRenewal::Recorded => self.certificate(machine, key, validity),
            CertificateRenewal::Banned => Err(denied("this node is banned; it gets no certificate")),
        }
    }

    fn certificate(&self, machine: MachineId, key: &NodeKey, validity: Validity) -> Result<Certificate, Status> {
        Ok(Certificate {
            chain_pem: self.ca.sign_node(machine, key, validity).map_err(|error| internal(&error))?,
            authorities_pem: self.ca.authorities_pem(),
            not_after: validity.not_after().unix_microseconds(),
            control_time: self.clock.now().unix_microseconds(),
        })
    }

    fn count<T>(&self, result: &Result<T, Status>, success: EnrolmentOutcome) {
        self.counters.enrolment(match result {
            Ok(_) => success,
            Err(status) if matches!(status.code(), Code::Internal | Code::Unavailable) => EnrolmentOutcome::failed,
            Err(_) => EnrolmentOutcome::refused,
        });
    }
}

fn refused(refusal: JoinRefusal) -> Status {
    const ANOTHER: &str = "make another with `cress admin nodes invite`";
    match refusal {
        JoinRefusal::Unknown => unauthenticated(format!("no such join token; {ANOTHER}")),
        JoinRefusal::Expired => unauthenticated(format!("the join token has expired; {ANOTHER}")),
        JoinRefusal::Revoked => unauthenticated(format!("the join token was revoked; {ANOTHER}")),
        JoinRefusal::Used => {
            denied(format!("the join token has enrolled a node already, and is good for one; {ANOTHER}"))
        }
        JoinRefusal::Banned => {
            denied("this node key is banned; only a new node key and a new join token let this machine join again")
        }
    }
}

fn check_name(name: &str) -> Result<(), Status> {
    if (1..=NODE_NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(invalid(format!("expected a node name of 1 to {NODE_NAME_BYTES_MAX} bytes without control characters")))
    }
}

pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    match extensions.get::<Peer>()?.address {
        PeerAddress::Tcp(address) => Some(address.ip()),
        PeerAddress::Unix(_) => None,
    }
}
