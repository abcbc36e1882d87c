// SPDX-License-Identifier: Apache-2.0
//! Why a provider could not do what it was asked for.

use std::error::Error;
use std::fmt;

/// A failed operation of a provider. Its message is for the operator: the workload is told the kind alone, since a target's words may
/// tell more than it should know. It holds no secret.
#[derive(Debug)]
pub struct ProviderError {
    kind: ProviderErrorKind,
    operation: Operation,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// The target is away, slow or busy: the same call may succeed later, and another call to the same target would fail now too.
    Unavailable,
    /// The target refused this one: the same call fails until someone changes the configuration or the target.
    Refused,
    /// What was asked for by the workload cannot be had: a parameter that is none.
    Parameter,
    /// There is no such account.
    Gone,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`crate::Provider::check`], [`crate::Credential::check`]
    Check,
    /// [`crate::Credential::issue`]
    Issue,
    /// [`crate::Provider::extend`]
    Extend,
    /// [`crate::Provider::revoke`]
    Revoke,
    /// [`crate::Provider::accounts`]
    List,
    /// [`crate::Provider::maintain`]
    Maintain,
}

impl ProviderError {
    /// An error of this kind. The message says what was expected, what came, and what to do; it follows `cannot make the credential: `.
    pub fn new(kind: ProviderErrorKind, operation: Operation, message: impl Into<String>) -> Self {
        Self { kind, operation, message: message.into(), source: None }
    }

    /// The target is away, slow or busy.
    pub fn unavailable(operation: Operation, message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Unavailable, operation, message)
    }

    /// The target refuses.
    pub fn refused(operation: Operation, message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Refused, operation, message)
    }

    /// Keeps the cause, for [`Error::source`]; the message should have its words already.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What can be done about it.
    #[must_use]
    pub const fn kind(&self) -> ProviderErrorKind {
        self.kind
    }

    /// What was asked for.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot {}: {}", self.operation, self.message)
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Check => "check the target",
            Self::Issue => "make the credential",
            Self::Extend => "extend the account",
            Self::Revoke => "end the account",
            Self::List => "list the accounts",
            Self::Maintain => "maintain the target",
        })
    }
}
