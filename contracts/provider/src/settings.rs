// SPDX-License-Identifier: Apache-2.0
//! The part of the configuration that only a provider understands.

use serde::de::DeserializeOwned;

/// A table of the configuration file without what the broker itself reads from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings(toml::Table);

/// Settings that a provider does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    /// Says which setting, what was expected, and what came; no secret.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Settings {
    /// The settings of this table.
    #[must_use]
    pub const fn new(table: toml::Table) -> Self {
        Self(table)
    }

    /// Reads them. The type should deny unknown fields.
    ///
    /// # Errors
    /// [`SettingsError`] in the words of the deserializer.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        self.0.clone().try_into().map_err(|error: toml::de::Error| SettingsError(error.message().to_owned()))
    }
}
