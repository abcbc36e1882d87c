// SPDX-License-Identifier: Apache-2.0
//! Every listener of the broker.

use std::net::SocketAddr;

use cress_api::broker::SOCKET_FILE;
use cress_service::data_dir::DataDir;
use cress_service::listen::{ListenError, Listener};

use crate::config::Config;

/// Open, and accepting nothing yet.
pub(super) struct Listeners {
    pub(super) api: Listener,
    pub(super) metrics: Listener,
    pub(super) operator: Listener,
}

impl Listeners {
    pub(super) async fn open(config: &Config, data_dir: &DataDir) -> Result<Self, ListenError> {
        Ok(Self {
            api: Listener::tcp(config.listen, "--listen").await?,
            metrics: Listener::tcp(config.metrics.listen, "--metrics-listen").await?,
            operator: Listener::unix(&data_dir.file(SOCKET_FILE))?,
        })
    }

    /// Of the socket rather than the configuration, which may have said port 0.
    pub(super) fn api_address(&self, config: &Config) -> SocketAddr {
        address(config.listen, &self.api)
    }

    pub(super) fn metrics_address(&self, config: &Config) -> SocketAddr {
        address(config.metrics.listen, &self.metrics)
    }
}

fn address(configured: SocketAddr, listener: &Listener) -> SocketAddr {
    SocketAddr::new(configured.ip(), listener.port().unwrap_or(configured.port()))
}
