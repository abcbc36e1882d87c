// SPDX-License-Identifier: Apache-2.0
//! Gives out secrets that the operator put into the broker's store: API keys, licence keys, passwords of systems that no account can
//! be made in. README.md beside this crate says what a workload gets.
//!
//! It never changes a secret, and never keeps one: every grant asks the broker which version is the current one.

mod config;
mod error;
mod provider;
mod wire;

use std::sync::Arc;

use cress_provider::{Ports, Provider, Settings, SettingsError};

/// What it is called in a configuration.
pub const KIND: &str = "static";

/// The provider of these settings.
///
/// # Errors
/// [`SettingsError`] names the setting and says what was expected.
pub fn build(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Provider>, SettingsError> {
    settings.read::<config::ProviderConfig>()?;
    Ok(Arc::new(provider::StaticProvider::new(Arc::clone(&ports.stored))))
}
