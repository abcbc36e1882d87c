// SPDX-License-Identifier: Apache-2.0
//! Which port and which directory everything gets.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cress_authz::{IssuerConfig, RuleConfig};
use cress_domain::Secret;

use super::example::BROKER_AUDIENCE;

const NODE_API_OFFSET: u16 = 1;
const BROKER_OFFSET: u16 = 2;
const AUTHZ_OFFSET: u16 = 3;
const CONTROL_METRICS_OFFSET: u16 = 10;
const NODE_METRICS_OFFSET: u16 = 11;
const AUTHZ_METRICS_OFFSET: u16 = 12;
const BROKER_METRICS_OFFSET: u16 = 13;
const IMDS_OFFSET: u16 = 20;
const NODE_DIRECTORY: &str = "node";
const BROKER_DIRECTORY: &str = "broker";
/// Beside the state that is the broker's own: what is given to it.
const BROKER_FILES: &str = "broker-files";
/// What the data directory's name is followed by.
const BROKER_KEY_SUFFIX: &str = ".broker.kek";
/// Instances that the node is ready to run, so that others than the examples can be tried.
const CAPACITY: u32 = 100;

/// Where everything is put.
#[derive(Debug)]
pub(super) struct Layout {
    data_dir: PathBuf,
    address: IpAddr,
    base_port: u16,
}

impl Layout {
    pub(super) fn new(data_dir: &Path, address: IpAddr, base_port: u16, instances: u32) -> anyhow::Result<Self> {
        anyhow::ensure!(
            address.to_canonical().is_loopback(),
            "expected a loopback address with --listen, got {address}; `cress up` speaks plain HTTP, so for others to reach \
             control run `cress control` with certificates"
        );
        let last = u32::from(base_port) + u32::from(IMDS_OFFSET) + instances;
        anyhow::ensure!(
            base_port > 0 && last <= u32::from(u16::MAX),
            "expected a --base-port with room for all ports up to 65535, got {base_port}"
        );
        Ok(Self { data_dir: data_dir.to_owned(), address, base_port })
    }

    pub(super) fn control(&self) -> cress_control::Config {
        let mut config = cress_control::Config::new(self.data_dir.clone());
        config.listen = self.socket(0);
        config.node_api.listen = self.socket(NODE_API_OFFSET);
        config.metrics.listen = self.socket(CONTROL_METRICS_OFFSET);
        config
    }

    pub(super) fn node(&self, control_url: String, join_token: Option<Secret<String>>) -> cress_node::Config {
        let mut config = cress_node::Config::new(self.node_directory(), control_url);
        config.join_token = join_token;
        config.capacity = CAPACITY;
        config.imds.listen_address = self.address;
        config.imds.base_port = self.port(IMDS_OFFSET);
        config.metrics.listen = self.socket(NODE_METRICS_OFFSET);
        config
    }

    /// The authorization service, where the workloads of this rule pass with tokens of this issuer for these audiences.
    pub(super) fn authz(&self, issuer: IssuerConfig, rule: RuleConfig) -> cress_authz::Config {
        let mut config = cress_authz::Config::new(vec![issuer], vec![rule]);
        config.listen = self.socket(AUTHZ_OFFSET);
        config.metrics.listen = self.socket(AUTHZ_METRICS_OFFSET);
        config
    }

    /// The broker, with nothing configured yet.
    pub(super) fn broker(&self) -> anyhow::Result<cress_broker::Config> {
        let mut config = cress_broker::Config::new(self.data_dir.join(BROKER_DIRECTORY), BROKER_AUDIENCE.parse()?);
        config.listen = self.socket(BROKER_OFFSET);
        config.metrics.listen = self.socket(BROKER_METRICS_OFFSET);
        Ok(config)
    }

    pub(super) fn broker_files(&self) -> PathBuf {
        self.data_dir.join(BROKER_FILES)
    }

    /// Beside the data directory.
    pub(super) fn broker_key_file(&self) -> anyhow::Result<PathBuf> {
        let name = self.data_dir.file_name();
        let mut name = name.context("expected a --data-dir with a name, beside which keys can lie")?.to_owned();
        name.push(BROKER_KEY_SUFFIX);
        Ok(self.data_dir.with_file_name(name))
    }

    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    pub(super) fn node_directory(&self) -> PathBuf {
        self.data_dir.join(NODE_DIRECTORY)
    }

    fn socket(&self, offset: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.port(offset))
    }

    fn port(&self, offset: u16) -> u16 {
        self.base_port.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_from_the_first() {
        let layout = Layout::new(Path::new("data"), "127.0.0.1".parse().unwrap(), 9_000, 2).unwrap();
        assert_eq!(layout.control().listen.port(), 9_000);
        assert_eq!(layout.node(String::new(), None).imds.base_port, 9_020);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let refused = |address: &str, port, instances| {
            Layout::new(Path::new("data"), address.parse().unwrap(), port, instances).unwrap_err().to_string()
        };
        assert!(refused("0.0.0.0", 8_420, 2).contains("loopback"));
        assert!(refused("127.0.0.1", 65_500, 100).contains("--base-port"));
        assert!(refused("127.0.0.1", 0, 1).contains("--base-port"));
    }
}
