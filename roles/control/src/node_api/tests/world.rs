// SPDX-License-Identifier: Apache-2.0
//! A control with nothing but its node-facing side, and nodes that talk to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_api::node_protocol::fleet_client::FleetClient;
use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{
    EnrolRequest, EnrolResponse, Hello, IssueTokensRequest, NodeReport, RenewRequest, TokenRequest, token_result,
};
use cress_domain::{
    Clock, ContainerGroupId, InstanceId, JoinTokenId, MachineId, OrganizationId, ProjectId, Random, Secret,
};
use cress_keyring::{KeyEncryptionKey, KeyEncryptionKeys, KeyRing, Settings};
use cress_service::listen::{Address, Listener};
use cress_service::tls::{ClientTls, Identity, Protocol, ServerTrust, channel_binding};
use cress_service::{Shutdown, SystemRandom};
use cress_store::control::{
    ControlStore, Feed, NewContainerGroup, NewInstance, NewJoinToken, OrganizationRecord, PlacementPlan, ProjectRecord,
};
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::super::{NodeSide, NodeSideParts, NodeSideSettings};
use super::stream::Stream;
use crate::ca::test_support::sign;
use crate::ca::{CertificateAuthority, NODE_URN_PREFIX};
use crate::enrolment::secret_hash;
use crate::fleet::{FeedWaker, FleetView};
use crate::metrics::Counters;

/// How long anything may take in these tests.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
/// Heartbeats come this often here.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(100);
pub(super) const ISSUER: &str = "https://issuer.test";

/// One replica of control.
pub(super) struct World {
    pub(super) clock: Arc<MockClock>,
    pub(super) database: Database,
    pub(super) store: ControlStore,
    pub(super) ring: KeyRing,
    pub(super) fleet: FleetView,
    pub(super) waker: FeedWaker,
    pub(super) ca: CertificateAuthority,
    pub(super) shutdown: Shutdown,
    pub(super) counters: Counters,
    address: SocketAddr,
    directory: Arc<tempfile::TempDir>,
}

/// A node with its key, and its certificate once it has one.
pub(super) struct Node {
    pub(super) key: KeyPair,
    pub(super) identity: Identity,
    pub(super) machine: MachineId,
}

fn keys() -> Arc<KeyEncryptionKeys> {
    let key = KeyEncryptionKey::new(None, &Secret::new([7; 32])).unwrap();
    Arc::new(KeyEncryptionKeys::new(key, Vec::new()).unwrap())
}

impl World {
    pub(super) async fn new() -> Self {
        Self::in_directory(Arc::new(tempfile::tempdir().unwrap()), Arc::new(MockClock::default())).await
    }

    /// Another replica on the same store.
    pub(super) async fn replica(&self) -> Self {
        Self::in_directory(Arc::clone(&self.directory), Arc::clone(&self.clock)).await
    }

    async fn in_directory(directory: Arc<tempfile::TempDir>, clock: Arc<MockClock>) -> Self {
        let database = open(directory.path()).await;
        let store = ControlStore::open(&database).await.unwrap();
        let ring_store = KeyRingStore::open(&database).await.unwrap();
        let ring = KeyRing::open(ring_store, keys(), Settings::workload(), Arc::clone(&clock) as _).await.unwrap();
        let counters = Counters::default();
        let parts = NodeSideParts {
            store: store.clone(),
            ring: ring.clone(),
            keys: keys(),
            clock: Arc::clone(&clock) as _,
            random: Arc::new(SystemRandom),
            counters: counters.clone(),
        };
        let mut settings = NodeSideSettings::new(ISSUER.parse().unwrap(), vec!["127.0.0.1".into(), "localhost".into()]);
        settings.heartbeat = HEARTBEAT;
        let side = NodeSide::open(parts, settings).await.unwrap();
        let (fleet, waker, ca) = (side.fleet().clone(), side.waker().clone(), side.ca().clone());
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "node_api.listen").await.unwrap();
        let Address::Tcp(address) = *listener.address() else { unreachable!() };
        let shutdown = Shutdown::new(Duration::from_secs(5));
        side.spawn(listener, &shutdown);
        Self { clock, database, store, ring, fleet, waker, ca, shutdown, counters, address, directory }
    }

    /// A channel with this identity. The handshake's failure of a refused certificate shows at the first call.
    pub(super) async fn channel(&self, identity: &Identity) -> Result<Channel, tonic::transport::Error> {
        let connector = self.connector(identity);
        let address = self.address;
        let connect = tower::service_fn(move |_| {
            let connector = connector.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost").unwrap();
                Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
            }
        });
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_with_connector(connect).await
    }

    /// A channel without a certificate, if the server proves itself by the authority that signs now.
    pub(super) async fn try_channel(&self) -> Result<(), std::io::Error> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        self.connector(&Identity::none()).connect(name, stream).await.map(drop)
    }

    /// A channel without a certificate, and what is unique to its connection.
    pub(super) async fn bound_channel(&self) -> (Channel, [u8; 32]) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.connector(&Identity::none()).connect(name, stream).await.unwrap();
        let binding = channel_binding(stream.get_ref().1).unwrap();
        let mut stream = Some(TokioIo::new(stream));
        let connect = tower::service_fn(move |_| {
            std::future::ready(stream.take().ok_or(std::io::Error::other("one connection")))
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        (endpoint.connect_with_connector(connect).await.unwrap(), binding)
    }

    fn connector(&self, identity: &Identity) -> TlsConnector {
        let tls = ClientTls {
            servers: ServerTrust::PinnedAuthority(self.ca.fingerprint().unwrap()),
            identity: identity.clone(),
            protocol: Protocol::Http2,
            clock: Arc::clone(&self.clock) as _,
        };
        TlsConnector::from(tls.config().unwrap())
    }

    /// A connection on which nothing is said.
    pub(super) async fn silent(&self, node: &Node) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.connector(&node.identity).connect(name, stream).await.unwrap()
    }

    /// All that was counted, as the metrics show it.
    pub(super) fn counted(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.counters.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    pub(super) async fn fleet_client(&self, node: &Node) -> FleetClient<Channel> {
        let client = FleetClient::new(self.channel(&node.identity).await.unwrap());
        client.max_decoding_message_size(cress_api::node_protocol::MESSAGE_BYTES_MAX)
    }

    pub(super) async fn join_token(&self, ttl: Duration, capacity_max: Option<u32>) -> (JoinTokenId, String) {
        let mut bytes = [0_u8; 43];
        SystemRandom.fill(&mut bytes);
        let secret: String = bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let id = JoinTokenId::generate(&SystemRandom);
        let expires_at = self.clock.now() + ttl;
        let secret_hash = secret_hash(&Secret::new(secret.clone()));
        self.store
            .create_join_token(&NewJoinToken { id, secret_hash, expires_at, capacity_max, organizations: None })
            .await
            .unwrap();
        (id, secret)
    }

    pub(super) async fn enrol(&self, secret: &str, key: &KeyPair) -> Result<EnrolResponse, Status> {
        self.enrol_with(EnrolRequest {
            join_token: secret.to_owned(),
            certificate_signing_request: request(key),
            node_name: "node".into(),
            capacity: 100,
        })
        .await
    }

    pub(super) async fn enrol_with(&self, request: EnrolRequest) -> Result<EnrolResponse, Status> {
        let mut client = EnrolmentClient::new(self.channel(&Identity::none()).await.unwrap());
        client.enrol(request).await.map(tonic::Response::into_inner)
    }

    pub(super) async fn renew(&self, node: &Node, request: Vec<u8>) -> Result<(), Status> {
        let mut client = EnrolmentClient::new(self.channel(&node.identity).await.unwrap());
        let request = RenewRequest { certificate_signing_request: request };
        let certificate = client.renew(request).await?.into_inner().certificate.unwrap();
        self.take(&node.identity, &node.key, &certificate.chain_pem);
        Ok(())
    }

    pub(super) fn take(&self, identity: &Identity, key: &KeyPair, chain_pem: &str) {
        let key = Secret::new(key.serialize_pem().into_bytes());
        identity.replace_pem(chain_pem.as_bytes(), &key, self.clock.as_ref()).unwrap();
    }

    /// A node that has enrolled.
    pub(super) async fn node(&self) -> Node {
        self.node_of_at_most(None).await
    }

    /// The same with a join token that allows so many instances.
    pub(super) async fn node_of_at_most(&self, capacity_max: Option<u32>) -> Node {
        let (_, secret) = self.join_token(Duration::from_secs(3_600), capacity_max).await;
        let key = node_key();
        let enrolled = self.enrol(&secret, &key).await.unwrap();
        let identity = Identity::none();
        self.take(&identity, &key, &enrolled.certificate.unwrap().chain_pem);
        Node { key, identity, machine: enrolled.machine_id.parse().unwrap() }
    }

    /// A node with a good certificate that this replica does not know.
    pub(super) fn unknown(&self, like: &Node) -> Node {
        let (machine, key) =
            (MachineId::generate(&SystemRandom), KeyPair::from_pem(&like.key.serialize_pem()).unwrap());
        let der = sign(&self.ca, &params(self, &[&format!("{NODE_URN_PREFIX}{machine}")]), &key);
        Node::with_certificate(self, der, key, machine)
    }

    /// An organization, a project and a container group with this definition.
    pub(super) async fn group(&self, definition: &str) -> ContainerGroupId {
        let random = &SystemRandom;
        let organization = OrganizationRecord { id: OrganizationId::generate(random), name: name(random, "org") };
        let (organization_id, project_id) = (organization.id, ProjectId::generate(random));
        let project = ProjectRecord { id: project_id, organization_id, name: name(random, "prj") };
        let (id, definition) = (ContainerGroupId::generate(random), serde_json::from_str(definition).unwrap());
        let group = NewContainerGroup { id, project_id, name: name(random, "grp"), definition };
        self.store.create_organization(&organization).await.unwrap();
        self.store.create_project(&project).await.unwrap();
        self.store.create_container_group(&group).await.unwrap();
        id
    }

    pub(super) async fn place(&self, node: &Node, group: ContainerGroupId) -> InstanceId {
        let id = InstanceId::generate(&SystemRandom);
        let place = vec![NewInstance { id, container_group_id: group, machine_id: node.machine }];
        self.apply(PlacementPlan { place, end: Vec::new() }).await;
        id
    }

    pub(super) async fn end(&self, instance: InstanceId) {
        self.apply(PlacementPlan { place: Vec::new(), end: vec![instance] }).await;
    }

    async fn apply(&self, plan: PlacementPlan) {
        let revision = self.store.revision().await.unwrap();
        self.store.apply_placement(&plan, revision, self.clock.now()).await.unwrap();
        let _ = self.waker.refreshed().await;
    }

    pub(super) async fn stream(&self, node: &Node) -> Result<Stream, Status> {
        let hello = Hello { agent_version: "test".into(), capacity: 100, boot_id: Vec::new() };
        self.stream_with(node, Report::Hello(hello)).await
    }

    pub(super) async fn stream_with(&self, node: &Node, first: Report) -> Result<Stream, Status> {
        let (up, reports) = mpsc::channel(4);
        up.send(NodeReport { report: Some(first) }).await.unwrap();
        let response = self.fleet_client(node).await.sync(ReceiverStream::new(reports)).await?;
        Ok(Stream { up, down: response.into_inner() })
    }

    /// Each token, or the number of its refusal.
    pub(super) async fn issue(
        &self,
        node: &Node,
        asked: &[(String, &str)],
    ) -> Result<Vec<Result<String, i32>>, Status> {
        let requests = asked.iter().map(|(instance, audience)| TokenRequest {
            instance_id: instance.clone(),
            audience: (*audience).to_owned(),
        });
        let request = IssueTokensRequest { requests: requests.collect() };
        let response = self.fleet_client(node).await.issue_tokens(request).await?.into_inner();
        assert_eq!(response.control_time, self.clock.now().unix_microseconds());
        let results = response.results.into_iter().map(|result| match result.result.unwrap() {
            token_result::Result::Token(token) => Ok(token.jwt),
            token_result::Result::Refusal(refusal) => Err(refusal),
        });
        Ok(results.collect())
    }

    /// What the store says of an instance's deletion cost.
    pub(super) async fn stored_cost(&self, instance: InstanceId) -> i32 {
        match self.store.changes_since(Default::default()).await.unwrap() {
            Feed::Changes(changes) => changes.instances,
            Feed::Reload(snapshot) => snapshot.instances,
        }
        .iter()
        .find(|record| record.id == instance)
        .unwrap()
        .deletion_cost
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

async fn open(directory: &Path) -> Database {
    Database::open(&DatabaseUrl::sqlite(directory.join("control.db"))).await.unwrap()
}

fn name(random: &dyn Random, kind: &str) -> cress_domain::Name {
    let id = InstanceId::generate(random).to_string();
    format!("{kind}-{}", &id[..8]).parse().unwrap()
}

pub(super) fn node_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(super) fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::new(vec!["ignored.example".to_owned()]).unwrap().serialize_request(key).unwrap().der().to_vec()
}

pub(super) fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// What control writes into a node's certificate, with these names.
pub(super) fn params(world: &World, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let moment =
        |seconds| time::OffsetDateTime::from_unix_timestamp(world.clock.now().unix_seconds() + seconds).unwrap();
    (params.not_before, params.not_after) = (moment(-60), moment(3_600));
    params.subject_alt_names = names.iter().map(|name| SanType::URI((*name).try_into().unwrap())).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

impl Node {
    pub(super) fn with_certificate(world: &World, der: Vec<u8>, key: KeyPair, machine: MachineId) -> Self {
        let pkcs8 = Secret::new(key.serialize_der());
        let identity = Identity::from_der(&[der], &pkcs8, world.clock.as_ref()).unwrap();
        Self { key, identity, machine }
    }
}

/// Polls until it holds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("never held: {what}"));
}
