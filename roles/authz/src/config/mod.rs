// SPDX-License-Identifier: Apache-2.0
//! Everything an operator may set about the authorization service. What the types do not carry is checked in `check`, before
//! any socket opens. Rules, issuers and headers are read anew while it runs; listeners are not.

mod check;
mod issuers;
mod limits;
mod policies;
mod rules;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use cress_service::tls::CertificateFiles;
use schemars::JsonSchema;
use serde::Deserialize;

pub use check::ConfigError;
pub use issuers::IssuerConfig;
pub use limits::Limits;
pub(crate) use policies::Loaded;
pub use policies::policy_schema;
pub use rules::{Access, PolicyClaim, PolicyClaimType, RuleConfig};

/// The port of `/verify` where nothing else is said.
const PORT: u16 = 8_423;
/// The port of the metrics where nothing else is said.
const METRICS_PORT: u16 = 8_432;

/// What an operator may set. Issuers and rules have no default: without a rule nothing passes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where `/verify` listens, for nginx, Traefik, Caddy, HAProxy and Envoy over HTTP. 127.0.0.1:8423 by default.
    #[serde(default = "listen_default")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without them.
    #[serde(default)]
    pub tls: Option<CertificateFiles>,
    /// Says that what asks reaches this over a network that is trusted, or that something in front does TLS: without it, plain
    /// HTTP is spoken on loopback only.
    #[serde(default)]
    pub behind_proxy: bool,
    /// The same over gRPC, for Envoy and Istio.
    #[serde(default)]
    pub grpc: Grpc,
    /// Limits of the listener.
    #[serde(default)]
    pub limits: Limits,
    /// The metrics.
    #[serde(default)]
    pub metrics: Metrics,
    /// Where the token stands in a request.
    #[serde(default)]
    pub token: Token,
    /// Which headers go to the service behind the proxy, and what they say: header = "claim". A claim is a name, or a JSON
    /// pointer such as /kubernetes.io/namespace. Each of them goes out with every request that passes, empty where the token
    /// does not say. The identity of the workload by default.
    #[serde(default = "headers_default")]
    pub headers: BTreeMap<String, String>,
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// What may pass: the first rule that fits a request decides. A request that no rule fits is refused.
    pub rules: Vec<RuleConfig>,
    /// Claims that Cedar policies may speak of beyond those of the schema, by the name that policies call them.
    #[serde(default)]
    pub policy_claims: BTreeMap<String, PolicyClaim>,
    /// Refuses nothing: what would have been refused is logged and counted. For trying rules before they count. False by default.
    #[serde(default)]
    pub dry_run: bool,
    /// What is logged of each request; never a token. `refused` by default.
    #[serde(default)]
    pub access_log: AccessLog,
    /// What challenges name as the realm; `workloads` by default.
    #[serde(default = "realm_default")]
    pub realm: String,
    /// How many tokens seen before are remembered: 0 to 10,000,000; 10,000 by default.
    #[serde(default = "cached_tokens_default")]
    pub cached_tokens_max: u32,
    /// How long open requests get when it stops, in seconds: 0 to 600; 10 by default.
    #[serde(default = "drain_seconds_default")]
    pub drain_seconds: u32,
}

/// gRPC: `envoy.service.auth.v3.Authorization/Check`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grpc {
    /// Address and port, such as 127.0.0.1:8424; without it gRPC is not served. `tls` counts for it too.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
}

/// The metrics.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port of `GET /metrics`. 127.0.0.1:8432 by default.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

/// Where the token stands in a request. In one place only: two would let a client show one token here and another behind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// A header that holds the token and nothing else. `Authorization: Bearer` where nothing is said.
    pub header: Option<String>,
    /// A member of a JSON body that holds the token, where the proxy passes the body (Envoy can, `with_request_body`).
    pub body_field: Option<String>,
}

/// What is logged of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// Nothing.
    Off,
    /// Requests that were refused, or would have been.
    #[default]
    Refused,
    /// Every request.
    All,
}

impl Config {
    /// All defaults, with these issuers and rules.
    #[must_use]
    pub fn new(issuers: Vec<IssuerConfig>, rules: Vec<RuleConfig>) -> Self {
        Self {
            listen: listen_default(),
            tls: None,
            behind_proxy: false,
            grpc: Grpc::default(),
            limits: Limits::default(),
            metrics: Metrics::default(),
            token: Token::default(),
            headers: headers_default(),
            issuers,
            rules,
            policy_claims: BTreeMap::new(),
            dry_run: false,
            access_log: AccessLog::default(),
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

/// Ids first: names are chosen by tenants.
fn headers_default() -> BTreeMap<String, String> {
    [
        ("X-Cress-Issuer", "iss"),
        ("X-Cress-Subject", "sub"),
        ("X-Cress-Instance", "salad_instance_id"),
        ("X-Cress-Machine", "salad_machine_id"),
        ("X-Cress-Workload", "salad_workload_id"),
        ("X-Cress-Workload-Name", "salad_workload_name"),
        ("X-Cress-Organization", "salad_organization_id"),
    ]
    .map(|(header, claim)| (header.to_owned(), claim.to_owned()))
    .into()
}

fn realm_default() -> String {
    "workloads".to_owned()
}

const fn cached_tokens_default() -> u32 {
    10_000
}

const fn drain_seconds_default() -> u32 {
    10
}
