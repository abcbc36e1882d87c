// SPDX-License-Identifier: Apache-2.0
//! Why a driver could not do what it was asked for.

use std::error::Error;
use std::fmt;

use cress_domain::InstanceId;

/// A refused or failed operation of a driver.
#[derive(Debug)]
pub struct DriverError {
    kind: DriverErrorKind,
    operation: Operation,
    instance: Option<InstanceId>,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverErrorKind {
    /// The same request may succeed later.
    Temporary,
    /// The same request will fail again until someone changes it, or the node.
    Permanent,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// [`crate::Driver::adopt`]
    Adopt,
    /// [`crate::Driver::prepare`]
    Prepare,
    /// [`crate::Driver::start`]
    Start,
    /// [`crate::Driver::stop`]
    Stop,
    /// [`crate::Driver::exec`]
    Exec,
    /// [`crate::Driver::release`]
    Release,
}

impl DriverError {
    /// An error that may pass. The message says what was expected, what came, and what to do; it follows
    /// `cannot start instance ...: `.
    pub fn temporary(operation: Operation, message: impl Into<String>) -> Self {
        Self::new(DriverErrorKind::Temporary, operation, message.into())
    }

    /// An error that stays. The message is as in [`DriverError::temporary`].
    pub fn permanent(operation: Operation, message: impl Into<String>) -> Self {
        Self::new(DriverErrorKind::Permanent, operation, message.into())
    }

    /// An error of this kind. The message is as in [`DriverError::temporary`].
    pub fn new(kind: DriverErrorKind, operation: Operation, message: String) -> Self {
        Self { kind, operation, instance: None, message, source: None }
    }

    /// Names the instance.
    #[must_use]
    pub const fn of(mut self, instance: InstanceId) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Keeps the cause, for [`Error::source`]; the message should have its words already.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether trying again makes sense.
    #[must_use]
    pub const fn kind(&self) -> DriverErrorKind {
        self.kind
    }

    /// What was asked for.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Of which instance.
    #[must_use]
    pub const fn instance(&self) -> Option<InstanceId> {
        self.instance
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instance {
            Some(instance) => write!(formatter, "cannot {} instance {instance}: {}", self.operation, self.message),
            None => write!(formatter, "cannot {} instances: {}", self.operation, self.message),
        }
    }
}

impl Error for DriverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Adopt => "adopt",
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Exec => "run a command beside",
            Self::Release => "release",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_what_was_asked_for() {
        let error =
            DriverError::permanent(Operation::Start, "no program \"x\" in PATH").of(InstanceId::from_bytes([0; 16]));
        assert_eq!(
            error.to_string(),
            "cannot start instance 00000000-0000-0000-0000-000000000000: no program \"x\" in PATH"
        );
        assert_eq!(error.kind(), DriverErrorKind::Permanent);
    }
}
