// SPDX-License-Identifier: Apache-2.0
//! Root secrets of providers, read from where the configuration says that they are, each time anew.

use cress_domain::Secret;
use cress_provider::{SecretError, SecretReader, SecretReference};
use cress_service::secret_source::SecretSource;

/// Reads files, environment variables and systemd's credentials.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RootSecrets;

impl SecretReader for RootSecrets {
    fn read(&self, reference: &SecretReference) -> Result<Secret<String>, SecretError> {
        let source: SecretSource = reference.as_str().parse().map_err(|error| SecretError(format!("{error}")))?;
        source.load().map_err(|error| SecretError(error.to_string()))
    }
}
