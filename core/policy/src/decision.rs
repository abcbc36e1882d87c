// SPDX-License-Identifier: Apache-2.0
//! What was decided, and why.

use std::ops::Deref;

/// A decision about verified claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub(crate) why: Why,
    pub(crate) decided_by: Vec<String>,
}

/// Why it was decided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A policy permits it, and none forbids it.
    #[error("permitted")]
    Permitted,
    /// A policy forbids it.
    #[error("a policy forbids it")]
    Forbidden,
    /// No policy permits it.
    #[error("no policy permits it")]
    NotPermitted,
    /// A claim has another type than the schema says.
    #[error("expected the claim {claim} to be {expected}")]
    ClaimType {
        /// The claim.
        claim: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A policy could not be evaluated: Cedar leaves it out, and a forbid left out would permit.
    #[error("a policy could not be evaluated")]
    PolicyFailed,
    /// The request does not fit the schema.
    #[error("the request does not fit the schema")]
    RequestType,
}

/// A decision about claims that nobody verified: what would be decided if they were. Good for tests and explanations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal(pub(crate) Decision);

impl Decision {
    /// Whether it is permitted.
    #[must_use]
    pub const fn is_permitted(&self) -> bool {
        matches!(self.why, Why::Permitted)
    }

    /// Why.
    #[must_use]
    pub const fn why(&self) -> &Why {
        &self.why
    }

    /// The policies that decided, by their `@id`: those that permit, or those that forbid, or those that failed.
    #[must_use]
    pub fn decided_by(&self) -> &[String] {
        &self.decided_by
    }

    pub(crate) const fn of(why: Why) -> Self {
        Self { why, decided_by: Vec::new() }
    }
}

impl Why {
    /// A stable name for answers, logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Forbidden => "policy-forbids",
            Self::NotPermitted => "policy-permits-not",
            Self::ClaimType { .. } => "claim-type",
            Self::PolicyFailed => "policy-failed",
            Self::RequestType => "request-type",
        }
    }
}

impl Deref for Rehearsal {
    type Target = Decision;
    fn deref(&self) -> &Decision {
        &self.0
    }
}
