// SPDX-License-Identifier: Apache-2.0
//! Accounts of Redis and Valkey: an ACL user for each lease, the same on every node.
//!
//! Neither a Cluster nor replication spreads ACL users, so whatever is done is done on every node: masters and replicas, by the list
//! that the settings, the Sentinels or the Cluster give. A password never leaves this process but to the workload: servers are told its
//! SHA-256. A node that is away keeps a revocation due; one that came back, or joined, is made equal to those that stayed
//! ([`repair`]). See `README.md` beside this crate's sources for what an operator has to know.
//!
//! No text of a tenant's ever becomes an ACL rule but for a few letters in the place that a key pattern leaves open ([`rules`]).

mod address;
mod check;
mod config;
mod connect;
mod credential;
mod error;
mod limits;
mod locks;
mod node;
mod nodes;
mod provider;
mod repair;
mod rules;
mod save;
mod topology;
mod wire;

use std::sync::Arc;

use cress_provider::{Ports, Provider, Settings, SettingsError};

/// The word for this provider in configurations and logs.
pub const KIND: &str = "redis";

/// Makes the provider of these settings. Opens no connection.
///
/// # Errors
/// [`SettingsError`] names the setting and says what was expected.
pub fn build(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Provider>, SettingsError> {
    let config = config::Config::read(settings)?;
    Ok(Arc::new(provider::Redis::new(config, ports)))
}
