// SPDX-License-Identifier: Apache-2.0
//! What goes wrong, in words for the operator. A secret's value is never among them.

use cress_domain::Name;
use cress_provider::{Operation, ProviderError, ProviderErrorKind, SecretError};

/// The store, or what opens its envelopes, is away.
pub(crate) fn unreadable(secret: &Name, operation: Operation, cause: SecretError) -> ProviderError {
    ProviderError::unavailable(operation, format!("the secret {secret} cannot be read: {cause}")).caused_by(cause)
}

/// Nothing to give out.
pub(crate) fn no_version(secret: &Name, operation: Operation) -> ProviderError {
    ProviderError::refused(
        operation,
        format!(
            "expected an active version of the secret {secret}, got none: put one with `cress broker secrets put {secret}`"
        ),
    )
}

/// The version lacks what the credential promises.
pub(crate) fn no_field(secret: &Name, version: u32, field: &str, operation: Operation) -> ProviderError {
    ProviderError::refused(
        operation,
        format!(
            "expected version {version} of the secret {secret} to have the part {field}: put a version that has it, or take \
             it from the credential's fields"
        ),
    )
}

/// Nothing can be asked for besides.
pub(crate) fn parameter(name: &str) -> ProviderError {
    let message = format!("expected no parameters, since the secret is what it is, got {name:?}");
    ProviderError::new(ProviderErrorKind::Parameter, Operation::Issue, message)
}
