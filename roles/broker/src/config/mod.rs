// SPDX-License-Identifier: Apache-2.0
//! Everything an operator may set about the broker, in one file. What the types do not carry is checked in `check`, before any socket
//! opens. Issuers, providers, credentials, policies and rates are read anew while it runs; listeners and the store are not.

mod base_url;
mod check;
mod credentials;
mod issuers;
mod limits;
mod policies;
mod store;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cress_domain::{Audience, CredentialName, Issuer, ProviderName};
use cress_service::tls::CertificateFiles;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::audit;

pub use base_url::{BaseUrl, BaseUrlError};
pub use check::ConfigError;
pub use credentials::{CredentialConfig, ProviderConfig, Shared};
pub use issuers::{IdentityClaims, IssuerConfig};
pub use limits::{Limits, Rates};
pub(crate) use policies::Loaded;
pub use policies::{PoliciesConfig, PolicyClaim, PolicyClaimType, policy_schema};
pub use store::{KeyEncryption, Store};

/// The port of the API where nothing else is said.
const PORT: u16 = 8_422;
/// The port of the metrics where nothing else is said.
const METRICS_PORT: u16 = 8_433;

/// What an operator may set. Who may have what has no default: without a policy that permits, nothing is given out.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory that the broker keeps its state in: its owner's alone. Made if it is not there.
    pub data_dir: PathBuf,
    /// Whom workloads' tokens must be meant for, to the letter: a name of this broker and of no other service, such as its URL.
    #[schemars(with = "String")]
    pub audience: Audience,
    /// Where the API listens. 127.0.0.1:8422 by default.
    #[serde(default = "listen_default")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The base URL at which workloads, and the services that trust what the broker signs, reach it: also the issuer (`iss`) of that. The
    /// address of `listen` by default.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub public_url: Option<BaseUrl>,
    /// Certificate and key; plain HTTP without them.
    #[serde(default)]
    pub tls: Option<CertificateFiles>,
    /// Says that a proxy in front does TLS: without it, plain HTTP is spoken on loopback only. Policies know no source addresses then.
    #[serde(default)]
    pub behind_proxy: bool,
    /// Limits of the listener.
    #[serde(default)]
    pub limits: Limits,
    /// How often workloads may ask.
    #[serde(default)]
    pub rates: Rates,
    /// The metrics.
    #[serde(default)]
    pub metrics: Metrics,
    /// Where the broker keeps its data.
    #[serde(default)]
    pub store: Store,
    /// The keys that protect secrets at rest.
    #[serde(default)]
    pub key_encryption: KeyEncryption,
    /// Whose tokens are accepted, by a name for each issuer.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// The systems that credentials are made for, by name. `type` says of which kind one is; its other keys are of that kind.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ProviderConfig>")]
    pub providers: BTreeMap<ProviderName, ProviderConfig>,
    /// What is given out, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, CredentialConfig>")]
    pub credentials: BTreeMap<CredentialName, CredentialConfig>,
    /// Who may have it.
    pub policies: PoliciesConfig,
    /// The records of every decision.
    #[serde(default)]
    pub audit: audit::Settings,
    /// What challenges name as the realm; `broker` by default.
    #[serde(default = "realm_default")]
    pub realm: String,
    /// How many tokens seen before are remembered: 0 to 10,000,000; 10,000 by default.
    #[serde(default = "cached_tokens_default")]
    pub cached_tokens_max: u32,
    /// How long open requests get when it stops, in seconds: 0 to 600; 10 by default.
    #[serde(default = "drain_seconds_default")]
    pub drain_seconds: u32,
}

/// The metrics, in the OpenMetrics text format.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port of `GET /metrics`. 127.0.0.1:8433 by default.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Config {
    /// All defaults, for this data directory and audience, with nobody and nothing configured.
    #[must_use]
    pub fn new(data_dir: PathBuf, audience: Audience) -> Self {
        Self {
            data_dir,
            audience,
            listen: listen_default(),
            public_url: None,
            tls: None,
            behind_proxy: false,
            limits: Limits::default(),
            rates: Rates::default(),
            metrics: Metrics::default(),
            store: Store::default(),
            key_encryption: KeyEncryption::default(),
            issuers: BTreeMap::new(),
            providers: BTreeMap::new(),
            credentials: BTreeMap::new(),
            policies: PoliciesConfig::default(),
            audit: audit::Settings::default(),
            realm: realm_default(),
            cached_tokens_max: cached_tokens_default(),
            drain_seconds: drain_seconds_default(),
        }
    }

    /// How long open requests get when it stops: for the [`cress_service::Shutdown`] that is passed to `start`.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }

    /// Where it is reached if it listens at this address, without a slash at the end.
    pub(crate) fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.as_ref().map_or_else(|| format!("{scheme}://{address}"), |url| url.as_str().to_owned())
    }

    /// The broker's own issuer if it listens at this address. Its tokens are never accepted.
    pub(crate) fn own_issuer(&self, address: SocketAddr) -> Result<Issuer, ConfigError> {
        let url = self.url_at(address);
        url.parse().map_err(|error| ConfigError::Value { key: "public_url".to_owned(), reason: format!("{error}") })
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: loopback(METRICS_PORT) }
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

const fn listen_default() -> SocketAddr {
    loopback(PORT)
}

fn realm_default() -> String {
    "broker".to_owned()
}

const fn cached_tokens_default() -> u32 {
    10_000
}

const fn drain_seconds_default() -> u32 {
    10
}

#[cfg(test)]
mod tests;
