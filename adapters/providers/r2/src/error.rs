// SPDX-License-Identifier: Apache-2.0
//! What goes wrong, in words for the operator. No secret is among them.

use cress_domain::Name;
use cress_provider::{Operation, ProviderError, ProviderErrorKind, SecretError};

/// The parent's secret cannot be read. It may be there again later.
pub(crate) fn no_secret(parent: &Name, operation: Operation, cause: SecretError) -> ProviderError {
    ProviderError::unavailable(operation, format!("the secret access key of the parent {parent}: {cause}"))
        .caused_by(cause)
}

/// Not what a secret access key looks like.
pub(crate) fn bad_secret(parent: &Name, operation: Operation) -> ProviderError {
    ProviderError::refused(
        operation,
        format!(
            "expected the secret access key of the parent {parent} as one word of printable ASCII characters, got something else"
        ),
    )
}

/// An id that the paths need.
pub(crate) fn no_id(name: &str) -> ProviderError {
    refused(format!("expected the workload's token to say its {name}, which the credential's paths are made of"))
}

/// An id that would change what a path means.
pub(crate) fn bad_id(name: &str) -> ProviderError {
    refused(format!("expected the {name} in the workload's token to be letters, digits, hyphens and underscores"))
}

/// Less than a second.
pub(crate) fn too_short() -> ProviderError {
    refused("expected a life of at least one whole second".to_owned())
}

/// Claims that were not written.
pub(crate) fn unwritten() -> ProviderError {
    refused("the claims could not be written".to_owned())
}

/// Only what is documented can be asked for.
pub(crate) fn parameter(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Parameter, Operation::Issue, message)
}

fn refused(message: String) -> ProviderError {
    ProviderError::refused(Operation::Issue, message)
}
