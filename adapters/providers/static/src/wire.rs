// SPDX-License-Identifier: Apache-2.0
//! The one call: which version of a secret is the current one.

use cress_domain::Name;
use cress_provider::{Operation, ProviderError, SecretVersion, StoredSecrets};

use crate::error;

/// The current version.
pub(crate) async fn current(
    stored: &dyn StoredSecrets,
    secret: &Name,
    operation: Operation,
) -> Result<SecretVersion, ProviderError> {
    let found = stored.current(secret.as_str()).await.map_err(|cause| error::unreadable(secret, operation, cause))?;
    found.ok_or_else(|| error::no_version(secret, operation))
}
