// SPDX-License-Identifier: Apache-2.0
//! Temporary PostgreSQL roles. Each is a member of a group role that the operator made and granted rights to, so that no grants pile
//! up. The server gets a verifier, never a password. A revoked role loses its sessions, and what it owns goes to its group.
//!
//! What the server keeps for a role (its default role, the end of its password) is a convenience for the workload: the role can change
//! it by itself. Nothing here relies on it.

mod config;
mod ending;
mod error;
mod findings;
mod late;
mod pool;
mod provider;
mod quote;
mod refusals;
mod scram;
mod statements;
mod wire;

use std::sync::Arc;

use cress_provider::{Ports, Provider, Settings, SettingsError};

/// The word for it in configurations.
pub const KIND: &str = "postgresql";

/// Makes the provider of these settings. Opens no connection.
///
/// # Errors
/// [`SettingsError`] names the setting and says what was expected.
pub fn build(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Provider>, SettingsError> {
    let server = config::Server::read(settings)?;
    Ok(Arc::new(provider::Postgresql::new(server, ports)))
}
