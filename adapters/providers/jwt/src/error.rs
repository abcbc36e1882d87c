// SPDX-License-Identifier: Apache-2.0
//! What goes wrong, in words for the operator.

use cress_provider::{AssertionError, Operation, ProviderError, ProviderErrorKind};

/// The key ring does not sign now.
pub(crate) fn unsigned(operation: Operation, cause: AssertionError) -> ProviderError {
    ProviderError::unavailable(operation, format!("the token was not signed: {cause}")).caused_by(cause)
}

/// Tokens are about somebody.
pub(crate) fn no_subject() -> ProviderError {
    refused("expected the workload's token to say its container group or its subject, got neither".to_owned())
}

/// A claim that was configured.
pub(crate) fn no_claim(name: &'static str) -> ProviderError {
    refused(format!(
        "expected the workload's token to say what the claim {name} is to say: take it from the credential's claims, or let other \
         issuers have another credential"
    ))
}

/// A value that no service should have to read.
pub(crate) fn bad_id(claim: &'static str, bytes: usize) -> ProviderError {
    refused(format!(
        "expected {claim} of the workload's token to have 1 to 255 bytes and no control characters, got {bytes} bytes"
    ))
}

/// Less than a second.
pub(crate) fn too_short() -> ProviderError {
    refused("expected a life of at least one whole second".to_owned())
}

/// Only what is documented can be asked for.
pub(crate) fn unknown_parameter(name: &str) -> ProviderError {
    parameter(format!("expected no parameter but scope, got {name:?}"))
}

/// A scope narrows.
pub(crate) fn scope(configured: &[String]) -> ProviderError {
    let message = if configured.is_empty() {
        "expected no parameter scope, since the credential has no scope".to_owned()
    } else {
        format!("expected the parameter scope to be words of {:?}, between single spaces", configured.join(" "))
    };
    parameter(message)
}

fn parameter(message: String) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Parameter, Operation::Issue, message)
}

fn refused(message: String) -> ProviderError {
    ProviderError::refused(Operation::Issue, message)
}
