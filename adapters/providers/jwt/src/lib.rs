// SPDX-License-Identifier: Apache-2.0
//! Access tokens signed by the broker's own issuer, for services that trust it and read its keys. README.md beside this crate says
//! what a workload gets.
//!
//! Who a token is for is fixed by the configuration, never by who asks; who it is about comes from verified ids alone.

mod config;
mod error;
mod provider;
mod subject;
mod wire;

use std::sync::Arc;

use cress_provider::{Ports, Provider, Settings, SettingsError};

/// What it is called in a configuration.
pub const KIND: &str = "jwt";

/// The provider of these settings.
///
/// # Errors
/// [`SettingsError`] names the setting and says what was expected.
pub fn build(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Provider>, SettingsError> {
    let config = settings.read::<config::ProviderConfig>()?;
    let (signer, clock) = (Arc::clone(&ports.signer), Arc::clone(&ports.clock));
    Ok(Arc::new(provider::JwtProvider::new(config.algorithm, signer, clock)))
}
