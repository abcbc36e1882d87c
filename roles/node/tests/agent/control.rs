// SPDX-License-Identifier: Apache-2.0
//! A control of a test's own: it speaks the node protocol over real TLS, places what the test says, signs tokens for it,
//! and notes what nodes tell it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use cress_api::join_token::JoinToken;
use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::enrolment_server::{Enrolment, EnrolmentServer};
use cress_api::node_protocol::fleet_server::{Fleet, FleetServer};
use cress_api::node_protocol::{
    Assignment, AssignmentChange, AssignmentSnapshot, ControlUpdate, EnrolRequest, EnrolResponse, InstanceReport,
    IssueTokensRequest, IssueTokensResponse, KeySet, NodeReport, RecoverRequest, RecoverResponse, RenewRequest,
    RenewResponse, Token, TokenRefusal, TokenRequest, TokenResult, node_report, recovery_statement, token_result,
};
use cress_domain::{Audience, Clock, GroupDefinition, InstanceId, MachineId, Name, OrganizationId, Secret, TokenId};
use cress_jose::{JwkSet, SigningKey};
use cress_service::listen::{Listener, Peer, Server};
use cress_service::{Shutdown, SystemClock, SystemRandom};
use cress_token::{WorkloadClaims, WorkloadIdentity};
use tokio::sync::broadcast;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::authority::{Authority, key_of};

pub(crate) const ISSUER: &str = "https://control.test";
pub(crate) const ORGANIZATION: &str = "2c3573b6-88de-4067-821f-1af088bd9c6a";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A control; clones are the same.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) authority: Arc<Authority>,
    key: Arc<SigningKey>,
    state: Arc<Mutex<State>>,
    updates: broadcast::Sender<Result<Update, Status>>,
    pub(crate) address: SocketAddr,
    running: Arc<Mutex<Option<Shutdown>>>,
}

/// What it remembers and how it behaves.
pub(crate) struct State {
    /// By the node's key.
    pub(crate) machines: BTreeMap<Vec<u8>, MachineId>,
    pub(crate) assignments: BTreeMap<InstanceId, Assignment>,
    pub(crate) reports: BTreeMap<String, InstanceReport>,
    pub(crate) certificate_life: Duration,
    pub(crate) enrolments: u32,
    pub(crate) renewals: u32,
    pub(crate) recoveries: u32,
    pub(crate) recoveries_refused: u32,
    pub(crate) streams: u32,
    /// The end of the certificate with which the last stream was opened, Unix time.
    pub(crate) stream_certificate_until: i64,
    pub(crate) tokens: u32,
    /// How many answers to enrolments are still to get lost.
    pub(crate) answers_lost: u32,
    pub(crate) is_banned: bool,
}

impl Control {
    pub(crate) async fn start() -> Self {
        let state = State {
            machines: BTreeMap::new(),
            assignments: BTreeMap::new(),
            reports: BTreeMap::new(),
            certificate_life: Duration::from_secs(86_400),
            enrolments: 0,
            renewals: 0,
            recoveries: 0,
            recoveries_refused: 0,
            streams: 0,
            stream_certificate_until: 0,
            tokens: 0,
            answers_lost: 0,
            is_banned: false,
        };
        let mut control = Self {
            authority: Arc::new(Authority::new()),
            key: Arc::new(SigningKey::generate("test-1".parse().unwrap()).unwrap()),
            state: Arc::new(Mutex::new(state)),
            updates: broadcast::Sender::new(64),
            address: "127.0.0.1:0".parse().unwrap(),
            running: Arc::default(),
        };
        control.address.set_port(control.listen().await);
        control
    }

    /// Begins to answer, at the same address as before if it did before.
    pub(crate) async fn listen(&self) -> u16 {
        let listener = Listener::tcp(self.address, "test").await.unwrap();
        let port = listener.port().unwrap();
        let shutdown = Shutdown::new(Duration::ZERO);
        let tls = self.authority.server_tls("127.0.0.1");
        let incoming = Server::new(listener).tls(Some(tls)).incoming(&shutdown);
        let serving = tonic::transport::Server::builder()
            .add_service(EnrolmentServer::new(self.clone()))
            .add_service(FleetServer::new(self.clone()))
            .serve_with_incoming(incoming);
        let expired = shutdown.expired();
        tokio::spawn(async move {
            tokio::select! {
                served = serving => served.unwrap(),
                () = expired => {}
            }
        });
        *self.running.lock().unwrap() = Some(shutdown);
        port
    }

    /// Is gone, with all its connections.
    pub(crate) async fn stop(&self) {
        let shutdown = self.running.lock().unwrap().take().unwrap();
        shutdown.request();
        let _abandoned = shutdown.drain().await;
        let _streams_end = self.updates.send(Err(Status::unavailable("control is gone")));
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn join_token(&self) -> Secret<String> {
        JoinToken::new(Secret::new(SECRET.to_owned()), self.authority.fingerprint()).expose_text()
    }

    /// Places an instance of this definition.
    pub(crate) fn place(&self, definition: &str) -> InstanceId {
        let id = InstanceId::generate(&SystemRandom);
        self.assign(assignment(id, definition));
        id
    }

    /// Places an instance, or changes it in place.
    pub(crate) fn assign(&self, assignment: Assignment) {
        self.state().assignments.insert(assignment.instance_id.parse().unwrap(), assignment.clone());
        self.tell(AssignmentChange { placed: vec![assignment], ended: vec![] });
    }

    pub(crate) fn end(&self, id: InstanceId) {
        self.state().assignments.remove(&id);
        self.state().reports.remove(&id.to_string());
        self.tell(AssignmentChange { placed: vec![], ended: vec![id.to_string()] });
    }

    pub(crate) fn tell(&self, change: AssignmentChange) {
        let _nobody_listens = self.updates.send(Ok(Update::Change(change)));
    }

    /// Tells everything that is placed.
    pub(crate) fn tell_all(&self) {
        let _nobody_listens = self.updates.send(Ok(self.snapshot()));
    }

    pub(crate) fn ban(&self) {
        self.state().is_banned = true;
        let _streams_end = self.updates.send(Err(Status::permission_denied("this node is banned")));
    }

    pub(crate) fn report(&self, id: InstanceId) -> Option<InstanceReport> {
        self.state().reports.get(&id.to_string()).cloned()
    }

    fn snapshot(&self) -> Update {
        Update::Snapshot(AssignmentSnapshot {
            assignments: self.state().assignments.values().cloned().collect(),
            more: false,
        })
    }

    /// Who calls, by the certificate that the handshake verified.
    fn caller<T>(&self, request: &Request<T>) -> Result<(MachineId, i64), Status> {
        let peer = request.extensions().get::<Peer>().unwrap();
        let chain = peer.certificates.as_ref().ok_or_else(|| Status::unauthenticated("no certificate"))?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        let key = certificate.public_key().subject_public_key.data.to_vec();
        let machine = self.state().machines.get(&key).copied();
        if self.state().is_banned {
            return Err(Status::permission_denied("this node is banned"));
        }
        let machine = machine.ok_or_else(|| Status::permission_denied("not a member"))?;
        Ok((machine, certificate.validity().not_after.timestamp()))
    }

    fn issue(&self, machine_id: MachineId, request: &TokenRequest) -> token_result::Result {
        let refused = |refusal: TokenRefusal| token_result::Result::Refusal(refusal.into());
        let Some(assignment) = self.state().assignments.get(&request.instance_id.parse().unwrap()).cloned() else {
            return refused(TokenRefusal::NotPlaced);
        };
        let Ok(definition) = serde_json::from_str::<GroupDefinition>(&assignment.definition) else {
            return refused(TokenRefusal::NotPlaced);
        };
        let organization_id: OrganizationId = assignment.organization_id.parse().unwrap();
        let audience: Audience = match request.audience.as_str() {
            "" => organization_id.into(),
            audience => audience.parse().unwrap(),
        };
        if !request.audience.is_empty() && !definition.allowed_audiences.contains(&audience) {
            return refused(TokenRefusal::Audience);
        }
        let now = SystemClock::new().now();
        let names: [Name; 2] =
            [&assignment.container_group_name, &assignment.organization_name].map(|name| name.parse().unwrap());
        let claims = WorkloadClaims {
            issuer: &ISSUER.parse().unwrap(),
            audience: &audience,
            token_id: TokenId::generate(&SystemRandom),
            issued_at: now,
            ttl: definition.token_ttl_seconds,
            identity: WorkloadIdentity {
                machine_id,
                instance_id: request.instance_id.parse().unwrap(),
                container_group_id: assignment.container_group_id.parse().unwrap(),
                container_group_name: &names[0],
                organization_id,
                organization_name: &names[1],
            },
            extra: &definition.extra_claims,
        };
        self.state().tokens += 1;
        let jwt = self.key.sign(&claims.to_payload()).unwrap();
        let life = Duration::from_secs(300);
        let token = Token { jwt, issued_at: now.unix_microseconds(), expires_at: (now + life).unix_microseconds() };
        token_result::Result::Token(token)
    }
}

/// An assignment of this definition, to a group and an organization that are always the same.
pub(crate) fn assignment(id: InstanceId, definition: &str) -> Assignment {
    Assignment {
        instance_id: id.to_string(),
        container_group_id: "215f0bf7-c4c2-4457-85c5-71cd0819def7".to_owned(),
        container_group_name: "worker".to_owned(),
        project_id: "8c5f5bd5-4a5a-4c52-a5a6-8f5a8d9f0001".to_owned(),
        project_name: "demo".to_owned(),
        organization_id: ORGANIZATION.to_owned(),
        organization_name: "rxlab".to_owned(),
        definition: definition.to_owned(),
        deletion_cost: 0,
    }
}

#[tonic::async_trait]
impl Enrolment for Control {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        let mut state = self.state();
        state.enrolments += 1;
        if request.join_token != SECRET {
            return Err(Status::unauthenticated("no such join token"));
        }
        assert!((1..=255).contains(&request.node_name.len()) && request.capacity > 0);
        let key = key_of(&request.certificate_signing_request);
        if !state.machines.is_empty() && !state.machines.contains_key(&key) {
            return Err(Status::permission_denied("the join token has enrolled a node already"));
        }
        let machine_id = *state.machines.entry(key).or_insert_with(|| MachineId::generate(&SystemRandom));
        if state.answers_lost > 0 {
            state.answers_lost -= 1;
            return Err(Status::unavailable("the answer got lost"));
        }
        let life = state.certificate_life;
        let certificate = self.authority.sign(&request.certificate_signing_request, machine_id, life);
        Ok(Response::new(EnrolResponse { machine_id: machine_id.to_string(), certificate: Some(certificate) }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let (machine_id, _) = self.caller(&request)?;
        self.state().renewals += 1;
        let life = self.state().certificate_life;
        let certificate = self.authority.sign(&request.into_inner().certificate_signing_request, machine_id, life);
        Ok(Response::new(RenewResponse { certificate: Some(certificate) }))
    }

    async fn recover(&self, request: Request<RecoverRequest>) -> Result<Response<RecoverResponse>, Status> {
        let binding = request.extensions().get::<Peer>().unwrap().channel_binding.unwrap();
        let RecoverRequest { machine_id, certificate_signing_request, proof } = request.into_inner();
        let mut state = self.state();
        let key = key_of(&certificate_signing_request);
        let machine = state.machines.get(&key).copied();
        let machine = machine.filter(|machine| !state.is_banned && machine.to_string() == machine_id);
        let Some(machine) = machine else {
            state.recoveries_refused += 1;
            return Err(Status::permission_denied("not a member"));
        };
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key);
        verifier.verify(&recovery_statement(&binding, machine), &proof).unwrap();
        state.recoveries += 1;
        let certificate = self.authority.sign(&certificate_signing_request, machine, state.certificate_life);
        Ok(Response::new(RecoverResponse { certificate: Some(certificate) }))
    }
}

#[tonic::async_trait]
impl Fleet for Control {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<ControlUpdate, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<NodeReport>>) -> Result<Response<Self::SyncStream>, Status> {
        let (_, until) = self.caller(&request)?;
        {
            let mut state = self.state();
            state.streams += 1;
            state.stream_certificate_until = until;
        }
        let (control, mut reports) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(report)) = reports.message().await {
                if let Some(node_report::Report::Instances(instances)) = report.report {
                    let reports = instances.instances.into_iter().map(|report| (report.instance_id.clone(), report));
                    control.state().reports.extend(reports);
                }
            }
        });
        let mut live = self.updates.subscribe();
        let jwks = JwkSet::new(vec![self.key.public_jwk()]).unwrap().to_json().into_bytes();
        let first = [Ok(Update::KeySet(KeySet { issuer: ISSUER.to_owned(), jwks })), Ok(self.snapshot())];
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            for update in first {
                sender.send(update).await.unwrap();
            }
            while let Ok(update) = live.recv().await {
                let is_end = update.is_err();
                if sender.send(update).await.is_err() || is_end {
                    return;
                }
            }
        });
        let updates = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let updates = updates.map(|update| {
            Ok(ControlUpdate { control_time: SystemClock::new().now().unix_microseconds(), update: Some(update?) })
        });
        Ok(Response::new(Box::pin(updates)))
    }

    async fn issue_tokens(
        &self,
        request: Request<IssueTokensRequest>,
    ) -> Result<Response<IssueTokensResponse>, Status> {
        let (machine_id, _) = self.caller(&request)?;
        let requests = request.into_inner().requests;
        let results = requests.iter().map(|request| TokenResult { result: Some(self.issue(machine_id, request)) });
        let control_time = SystemClock::new().now().unix_microseconds();
        Ok(Response::new(IssueTokensResponse { results: results.collect(), control_time }))
    }
}
