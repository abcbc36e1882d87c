// SPDX-License-Identifier: Apache-2.0
//! The tables of control's configuration.

use std::net::SocketAddr;
use std::time::Duration;

use cress_keyring::{KeyEncryptionKeySource, Settings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ca::RotationSettings;

use super::{METRICS_PORT, NODE_API_PORT, NodeApiLimits, loopback};

/// The node protocol: gRPC over mutual TLS, with certificates by control's own authority.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeApi {
    /// Where it listens. 127.0.0.1:8421 by default.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The DNS names and IP addresses at which nodes reach it; they stand in the server's certificate. The address of `listen` and
    /// `localhost` by default.
    pub names: Vec<String>,
    /// Limits on connections.
    pub limits: NodeApiLimits,
    /// When the authority of its certificates changes.
    pub authorities: Authorities,
}

/// When the certificate authority of the node protocol changes: at `cress admin ca rotate`, and half a year before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Authorities {
    /// How long a new authority is told to nodes before it signs, in seconds: 1 to 2,592,000 (30 days); 86,400 (a day) by default. A node
    /// that did not hear of it in this time still knows control by it, since the authority before vouches for it.
    pub lead_seconds: u32,
    /// How long the authority before is still trusted after that, in seconds: 1 to 7,776,000 (90 days); 691,200 (eight days) by default,
    /// which is longer than certificates and join tokens live that it signed. Shorter, nodes prove their keys for another certificate, and
    /// join tokens end with it.
    pub overlap_seconds: u32,
}

impl Default for Authorities {
    fn default() -> Self {
        const DAY: u32 = 24 * 3_600;
        Self { lead_seconds: DAY, overlap_seconds: 8 * DAY }
    }
}

impl Authorities {
    pub(crate) fn settings(self) -> RotationSettings {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        RotationSettings { lead: seconds(self.lead_seconds), overlap: seconds(self.overlap_seconds) }
    }
}

impl Default for NodeApi {
    fn default() -> Self {
        Self {
            listen: loopback(NODE_API_PORT),
            names: Vec::new(),
            limits: NodeApiLimits::default(),
            authorities: Authorities::default(),
        }
    }
}

/// The metrics, in the OpenMetrics text format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsListener {
    /// Where `GET /metrics` is answered, to whoever asks: on loopback only, unless `behind_proxy` says that something in front keeps
    /// strangers away. 127.0.0.1:8430 by default.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for MetricsListener {
    fn default() -> Self {
        Self { listen: loopback(METRICS_PORT) }
    }
}

/// The keys that protect private keys at rest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyEncryption {
    /// The id of the key that seals what is written from now on. That of the first of `keys` by default; the others only open what
    /// was sealed with them.
    pub active: Option<String>,
    /// Where keys come from, each one of `file:<path>`, `env:<variable>` and `credential:<name>` (systemd's). With SQLite and
    /// none given, one is made in the file `<data_dir>.kek` beside the data directory; keep it out of the backups of the latter.
    // Hidden, since who mistakes this for the place of the key itself must not see it in an error.
    #[schemars(with = "Vec<String>", extend("writeOnly" = true))]
    pub keys: Vec<KeyEncryptionKeySource>,
}

/// When signing keys change. A key is published for the lead time, then signs, then verifies until all that it signed has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// How long a key is published before it signs, in seconds: 60 to 7,776,000 (90 days), and more than all the time that a
    /// verifier may need to learn of it; 604,800 (a week) by default.
    pub lead_seconds: u32,
    /// How long a key signs, in seconds: up to 7,776,000 (90 days), and not less than `lead_seconds`; 604,800 (a week) by default.
    pub active_seconds: u32,
    /// How long ahead nodes may hold tokens, in seconds: 0 to 86,400; 0 by default. Retired keys are published for longer by it.
    pub outage_budget_seconds: u32,
    /// By how much the clocks of verifiers may be wrong, in seconds: 0 to 3,600; 300 by default.
    pub skew_seconds: u32,
    /// How long the key set may be cached, in seconds: 1 to 3,600; 3,600 by default.
    pub jwks_cache_seconds: u32,
}

const WEEK_SECONDS: u32 = 7 * 24 * 3_600;

impl Default for Schedule {
    fn default() -> Self {
        Self {
            lead_seconds: WEEK_SECONDS,
            active_seconds: WEEK_SECONDS,
            outage_budget_seconds: 0,
            skew_seconds: 300,
            jwks_cache_seconds: 3_600,
        }
    }
}

impl Schedule {
    /// The same, for the key ring of workload tokens.
    pub(crate) fn settings(&self, kid_prefix: &str) -> Settings {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Settings {
            kid_prefix: kid_prefix.to_owned(),
            lead: seconds(self.lead_seconds),
            active: seconds(self.active_seconds),
            outage_budget: seconds(self.outage_budget_seconds),
            skew: seconds(self.skew_seconds),
            jwks_cache_life: seconds(self.jwks_cache_seconds),
            ..Settings::workload()
        }
    }
}
