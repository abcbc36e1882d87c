// SPDX-License-Identifier: Apache-2.0
//! A node that runs nothing: it enrols and speaks the node protocol, to measure control alone.

use std::io;
use std::sync::Arc;

use anyhow::Context;
use cress_api::join_token::JoinToken;
use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_api::node_protocol::fleet_client::FleetClient;
use cress_api::node_protocol::{EnrolRequest, MESSAGE_BYTES_MAX};
use cress_client::AdminClient;
use cress_domain::Secret;
use cress_service::SystemClock;
use cress_service::tls::{ClientTls, Identity, Protocol, Roots, ServerTrust};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::processes::Control;

/// An enrolled node.
#[derive(Debug)]
pub(crate) struct NodeClient {
    servers: ServerTrust,
    identity: Identity,
}

impl NodeClient {
    /// Enrols a new node of this capacity.
    pub(crate) async fn enrol(admin: &AdminClient, capacity: u32) -> anyhow::Result<Self> {
        let request =
            cress_api::admin::CreateJoinToken { ttl_seconds: 600, capacity_max: None, organizations: Vec::new() };
        let token: JoinToken = admin.create_join_token(request).await?.join_token.parse()?;
        let key = KeyPair::generate()?;
        let signing_request = CertificateParams::default().serialize_request(&key)?;
        let pinned = ServerTrust::PinnedAuthority(*token.ca_fingerprint());
        let mut client = EnrolmentClient::new(connect(pinned, Identity::none()).await?);
        let request = EnrolRequest {
            join_token: token.secret().expose().clone(),
            certificate_signing_request: signing_request.der().to_vec(),
            node_name: "bench".to_owned(),
            capacity,
        };
        let certificate = client.enrol(request).await?.into_inner().certificate.context("a certificate")?;
        let identity = Identity::none();
        let private_key = Secret::new(key.serialize_pem().into_bytes());
        identity.replace_pem(certificate.chain_pem.as_bytes(), &private_key, &SystemClock::new())?;
        let servers = ServerTrust::Roots(Roots::from_pem(certificate.authorities_pem.as_bytes())?);
        Ok(Self { servers, identity })
    }

    /// A fresh connection, over mutual TLS.
    pub(crate) async fn fleet(&self) -> anyhow::Result<FleetClient<Channel>> {
        let channel = connect(self.servers.clone(), self.identity.clone()).await?;
        Ok(FleetClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
    }
}

async fn connect(servers: ServerTrust, identity: Identity) -> anyhow::Result<Channel> {
    let tls =
        ClientTls { servers, identity, protocol: Protocol::Http2, clock: Arc::new(SystemClock::new()) }.config()?;
    let uri: http::Uri = Control::node_api().parse()?;
    let connector = tower::service_fn(move |uri: http::Uri| {
        let tls = TlsConnector::from(Arc::clone(&tls));
        async move {
            let (host, port) = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or_default());
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let name = host.try_into().map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(tls.connect(name, stream).await?))
        }
    });
    Ok(Endpoint::from(uri).connect_with_connector(connector).await?)
}
