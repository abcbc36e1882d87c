// SPDX-License-Identifier: Apache-2.0
//! Temporary S3 credentials for Cloudflare R2, derived from a parent access key without a call to anyone. README.md beside this crate
//! says what a workload gets.
//!
//! A parent's secret is read when a credential is made, and kept nowhere. What a workload asks for only ever narrows what is configured.

mod config;
mod error;
mod paths;
mod permission;
mod provider;
mod wire;

use std::sync::Arc;

use cress_provider::{Ports, Provider, Settings, SettingsError};

/// What it is called in a configuration.
pub const KIND: &str = "r2";

/// The provider of these settings.
///
/// # Errors
/// [`SettingsError`] names the setting and says what was expected.
pub fn build(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Provider>, SettingsError> {
    let config = config::ProviderConfig::read(settings)?;
    Ok(Arc::new(provider::R2Provider::new(config, Arc::clone(&ports.secrets))))
}
