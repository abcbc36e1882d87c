// SPDX-License-Identifier: Apache-2.0
//! Why the lease engine does not do as asked. Nothing was given out then, and what may have been made is being removed.

use std::time::Duration;

use cress_provider::{ProviderError, ProviderErrorKind};
use cress_store::StoreError;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There are as many as there may be.
    #[error("expected fewer live leases of this credential {0}; end one, or wait until one ends")]
    TooMany(Cap),
    /// The idempotency key came with another request.
    #[error("the idempotency key was used for another request; take a new one")]
    KeyReused,
    /// The first request with this idempotency key, or for this shared credential, is still being answered.
    #[error("the same is being answered already; ask again in {} seconds", .retry_after.as_secs())]
    InProgress {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The target did not do its part. Its words are for the operator alone: the workload is told the kind.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The target has not answered in time.
    #[error("the target has not answered in {} seconds", .0.as_secs())]
    Slow(Duration),
    /// The target is known to be away, so that it was not even asked.
    #[error("the target is away: {reason}")]
    Away {
        /// Why, for the operator.
        reason: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The lease was revoked while its credential was being made.
    #[error("the lease was revoked while its credential was being made")]
    Revoked,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier answer cannot be opened, or a new one not be sealed.
    #[error("the answer cannot be kept: {0}")]
    Sealing(String),
    /// More is asked for at once than can be written down.
    #[error("too many requests are waiting for the store; ask again")]
    Busy,
    /// The broker stops.
    #[error("the broker is stopping; ask again")]
    Stopping,
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// That of one owner.
    Owner,
    /// That of one container group.
    Group,
}

impl std::fmt::Display for Cap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Owner => "of this instance",
            Self::Group => "of this container group",
        })
    }
}

/// Why a lease was not renewed or ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// There is no such lease of this owner, or it is over. Someone else's is not told from none.
    #[error("there is no such lease, or it is over")]
    NotFound,
    /// It lives as long as it may, or its credential cannot live longer.
    #[error("the lease cannot be renewed; ask for a new credential")]
    NotRenewable,
    /// The target did not do its part.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The target has not answered in time.
    #[error("the target has not answered in {} seconds", .0.as_secs())]
    Slow(Duration),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More is asked for at once than can be written down.
    #[error("too many requests are waiting for the store; ask again")]
    Busy,
    /// The broker stops.
    #[error("the broker is stopping; ask again")]
    Stopping,
}

impl GrantError {
    /// What can be done about it where a target was at fault.
    #[must_use]
    pub fn provider_kind(&self) -> Option<ProviderErrorKind> {
        match self {
            Self::Provider(error) => Some(error.kind()),
            Self::Slow(_) | Self::Away { .. } => Some(ProviderErrorKind::Unavailable),
            _ => None,
        }
    }
}
