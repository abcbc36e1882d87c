// SPDX-License-Identifier: Apache-2.0
//! Control's configuration: every key with its default. What the types do not carry is checked in `check`, before any
//! socket opens.

mod base_url;
mod check;
mod limits;
mod sections;
mod store;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cress_domain::Issuer;
use cress_service::tls::CertificateFiles;
use schemars::JsonSchema;
use serde::Deserialize;

pub use base_url::{BaseUrl, BaseUrlError};
pub use check::ConfigError;
pub(crate) use check::KID_TIME_BYTES;
pub use limits::{NodeApiLimits, PublicLimits};
pub use sections::{Authorities, KeyEncryption, MetricsListener, NodeApi, Schedule};
pub use store::Store;

/// The port of the public API where nothing else is said.
const PUBLIC_PORT: u16 = 8_420;
/// The port of the node protocol where nothing else is said.
const NODE_API_PORT: u16 = 8_421;
/// The port of the metrics where nothing else is said.
const METRICS_PORT: u16 = 8_430;

/// What an operator may set about control. Only `data_dir` has no default.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory that control keeps its state in: its owner's alone. Made if it is not there.
    pub data_dir: PathBuf,
    /// The issuer that tokens name (`iss`): an http or https URL, compared by verifiers letter by letter. It may be on another
    /// host than `public_url`. The same as `public_url` by default.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Issuer>,
    /// The base URL at which clients reach the public API. The address of `listen` by default.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub public_url: Option<BaseUrl>,
    /// Where the public API listens: the key set, discovery and health. 127.0.0.1:8420 by default.
    #[serde(default = "listen_default")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Certificate and key of the public API; plain HTTP without them.
    #[serde(default)]
    pub tls: Option<CertificateFiles>,
    /// Says that a proxy in front does TLS: without it, plain HTTP is spoken on loopback only.
    #[serde(default)]
    pub behind_proxy: bool,
    /// Limits of the public API.
    #[serde(default)]
    pub limits: PublicLimits,
    /// The node protocol.
    #[serde(default)]
    pub node_api: NodeApi,
    /// The metrics.
    #[serde(default)]
    pub metrics: MetricsListener,
    /// Where control keeps its data.
    #[serde(default)]
    pub store: Store,
    /// The keys that protect private keys at rest.
    #[serde(default)]
    pub key_encryption: KeyEncryption,
    /// What the ids of signing keys begin with, before the time they were made at. `salad-workload-` by default.
    #[serde(default = "kid_prefix_default")]
    pub kid_prefix: String,
    /// When signing keys change.
    #[serde(default)]
    pub schedule: Schedule,
    /// How long open requests get when control stops, in seconds: 0 to 600; 10 by default.
    #[serde(default = "drain_seconds_default")]
    pub drain_seconds: u32,
}

impl Config {
    /// All defaults, for this data directory.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            issuer: None,
            public_url: None,
            listen: listen_default(),
            tls: None,
            behind_proxy: false,
            limits: PublicLimits::default(),
            node_api: NodeApi::default(),
            metrics: MetricsListener::default(),
            store: Store::default(),
            key_encryption: KeyEncryption::default(),
            kid_prefix: kid_prefix_default(),
            schedule: Schedule::default(),
            drain_seconds: drain_seconds_default(),
        }
    }

    /// How long open requests get when control stops: for the [`cress_service::Shutdown`] that is passed to `start`.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

const fn listen_default() -> SocketAddr {
    loopback(PUBLIC_PORT)
}

fn kid_prefix_default() -> String {
    "salad-workload-".to_owned()
}

const fn drain_seconds_default() -> u32 {
    10
}

#[cfg(test)]
mod tests;
