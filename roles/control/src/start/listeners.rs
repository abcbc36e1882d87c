// SPDX-License-Identifier: Apache-2.0
//! Every listener of control, and the URLs that follow from their addresses.

use std::net::{IpAddr, SocketAddr};

use cress_api::admin::SOCKET_FILE;
use cress_domain::Issuer;
use cress_service::data_dir::DataDir;
use cress_service::listen::{Address, Listener};

use super::StartError;
use crate::config::{Config, NodeApi};

const LISTEN: &str = "--listen";
const NODE_API_LISTEN: &str = "--node-api-listen";
const METRICS_LISTEN: &str = "--metrics-listen";

/// Open, and accepting nothing yet.
pub(super) struct Listeners {
    pub(super) public: Listener,
    pub(super) node_api: Listener,
    pub(super) metrics: Listener,
    pub(super) admin: Listener,
}

/// Where clients go.
pub(super) struct Addresses {
    pub(super) public: SocketAddr,
    pub(super) public_url: String,
    pub(super) issuer: Issuer,
    pub(super) node_api: SocketAddr,
    pub(super) node_api_url: String,
    pub(super) metrics: SocketAddr,
}

impl Listeners {
    pub(super) async fn open(config: &Config, data_dir: &DataDir) -> Result<Self, StartError> {
        Ok(Self {
            public: Listener::tcp(config.listen, LISTEN).await?,
            node_api: Listener::tcp(config.node_api.listen, NODE_API_LISTEN).await?,
            metrics: Listener::tcp(config.metrics.listen, METRICS_LISTEN).await?,
            admin: Listener::unix(&data_dir.file(SOCKET_FILE))?,
        })
    }

    /// Of the sockets rather than the configuration, which may have said port 0.
    pub(super) fn addresses(&self, config: &Config) -> Result<Addresses, StartError> {
        let public = tcp(&self.public, LISTEN)?;
        let node_api = tcp(&self.node_api, NODE_API_LISTEN)?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let public_url = match &config.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("{scheme}://{public}"),
        };
        let issuer = match &config.issuer {
            Some(issuer) => issuer.clone(),
            None => public_url.parse()?,
        };
        let metrics = tcp(&self.metrics, METRICS_LISTEN)?;
        let node_api_url = node_api_url(&config.node_api, node_api);
        Ok(Addresses { public, public_url, issuer, node_api, node_api_url, metrics })
    }
}

/// The names in the node protocol's certificate.
pub(super) fn node_api_names(config: &NodeApi) -> Vec<String> {
    if !config.names.is_empty() {
        return config.names.clone();
    }
    vec![config.listen.ip().to_string(), "localhost".to_owned()]
}

/// At the first name, since it is in the certificate.
fn node_api_url(config: &NodeApi, address: SocketAddr) -> String {
    let Some(name) = config.names.first() else { return format!("https://{address}") };
    match name.parse::<IpAddr>() {
        Ok(ip) => format!("https://{}", SocketAddr::new(ip, address.port())),
        Err(_) => format!("https://{name}:{}", address.port()),
    }
}

fn tcp(listener: &Listener, setting: &'static str) -> Result<SocketAddr, StartError> {
    match listener.address() {
        Address::Tcp(address) => Ok(*address),
        Address::Unix(_) => Err(StartError::Address(setting)),
    }
}
