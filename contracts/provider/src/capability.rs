// SPDX-License-Identifier: Apache-2.0
//! What a provider promises. It has to be honest: the broker, its API and its documentation repeat it to those who rely on it.

use std::fmt;

/// What a provider promises of its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// When a revoked credential stops working.
    pub revocation: Revocation,
    /// Whether a lease can live longer than it was first given.
    pub renewal: Renewal,
    /// What a credential leaves at the target.
    pub footprint: Footprint,
}

/// When a revoked credential stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// With the revocation, also for connections that were made before it.
    Immediate,
    /// When the operator ends all that hang on the same parent or version.
    ByGroup,
    /// At its own end and not before. A lease of it is let go of only then.
    AtExpiry,
}

/// Whether a lease can live longer than it was first given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The credential stays and lives longer.
    Extends,
    /// The credential says itself when it ends: the workload asks for another one.
    AskAgain,
}

/// What a credential leaves at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footprint {
    /// Nothing: it is computed here. Making it cannot be half done.
    Nothing,
    /// An account of the name in the grant, which has to be removed.
    Account,
}

impl fmt::Display for Revocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Immediate => "immediately",
            Self::ByGroup => "by group",
            Self::AtExpiry => "at expiry",
        })
    }
}
