// SPDX-License-Identifier: Apache-2.0
//! Policies that cannot be used. They are found when they are loaded, never when a request is decided.

/// Why policies are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Longer than [`crate::POLICIES_BYTES_MAX`].
    #[error("expected policies of at most {max} bytes, got {0}", max = crate::POLICIES_BYTES_MAX)]
    TooLong(usize),
    /// No Cedar.
    #[error("expected Cedar policies: {0}")]
    Syntax(String),
    /// Cedar that speaks of what is not in the schema, or takes one type for another.
    #[error("expected policies that fit the schema: {}", .0.join("; "))]
    Schema(Vec<String>),
    /// A declared claim that cannot be.
    #[error("declared claim {name:?}: {reason}")]
    Claim {
        /// Its name.
        name: String,
        /// What was expected.
        reason: String,
    },
    /// Two policies of one name could not be told apart in logs.
    #[error("expected each @id once, got {0:?} more than once")]
    RepeatedId(String),
    /// Templates need values that nobody gives.
    #[error("expected policies without slots (?principal, ?resource)")]
    Template,
    /// No policy: nothing would pass.
    #[error("expected at least one policy, got none")]
    Empty,
}
