// SPDX-License-Identifier: Apache-2.0
//! What a caller is told when it does not get what it may have. A target's own words stay here: they may tell more than it should know.

use std::time::Duration;

use cress_api::Problem;
use cress_provider::{ProviderError, ProviderErrorKind};
use cress_store::StoreError;

use crate::lease::{Cap, GrantError, LeaseError};

/// Why there is no answer that anyone hoped for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was decided so.
    Denied(Box<Problem>),
    /// As many leases as there may be.
    TooMany(Cap),
    /// The idempotency key came with another request.
    KeyReused,
    /// The same is being done.
    InProgress(Duration),
    /// The target is away, slow or busy.
    TargetUnavailable(Duration),
    /// The target refuses.
    TargetRefused,
    /// A parameter is none.
    Parameter,
    /// The lease was revoked meanwhile.
    Revoked,
    /// There is no such lease of this caller.
    NoLease,
    /// The lease lives as long as it may.
    NotRenewable,
    /// The store is away.
    StoreUnavailable,
    /// More at once than can be done.
    Busy,
    /// No record can be written.
    AuditUnavailable,
    /// The broker stops.
    Stopping,
    /// Something here is broken; the log says what.
    Internal,
}

const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);

impl Failure {
    /// What went wrong with a grant. What the operator must know is in the log, of the engine or here.
    pub(crate) fn of_grant(error: &GrantError) -> Self {
        match error {
            GrantError::TooMany(cap) => Self::TooMany(*cap),
            GrantError::KeyReused => Self::KeyReused,
            GrantError::InProgress { retry_after } => Self::InProgress(*retry_after),
            GrantError::Provider(error) => Self::of_provider(error),
            GrantError::Slow(_) => Self::TargetUnavailable(LATER),
            GrantError::Away { retry_after, .. } => Self::TargetUnavailable(*retry_after),
            GrantError::Revoked => Self::Revoked,
            GrantError::Store(error) => Self::of_store(error),
            GrantError::Busy => Self::Busy,
            GrantError::Stopping => Self::Stopping,
            GrantError::Sealing(_) => {
                tracing::error!(%error, "a credential cannot be given out");
                Self::Internal
            }
        }
    }

    /// What went wrong with a lease that is there.
    pub(super) fn of_lease(error: &LeaseError) -> Self {
        match error {
            LeaseError::NotFound => Self::NoLease,
            LeaseError::NotRenewable => Self::NotRenewable,
            LeaseError::Provider(error) => Self::of_provider(error),
            LeaseError::Slow(_) => Self::TargetUnavailable(LATER),
            LeaseError::Store(error) => Self::of_store(error),
            LeaseError::Busy => Self::Busy,
            LeaseError::Stopping => Self::Stopping,
        }
    }

    fn of_provider(error: &ProviderError) -> Self {
        tracing::warn!(%error, "a target did not do its part");
        match error.kind() {
            ProviderErrorKind::Unavailable => Self::TargetUnavailable(LATER),
            ProviderErrorKind::Refused | ProviderErrorKind::Gone => Self::TargetRefused,
            ProviderErrorKind::Parameter => Self::Parameter,
        }
    }

    pub(super) fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Temporary { .. } => Self::StoreUnavailable,
            error => {
                tracing::error!(%error, "the store fails");
                Self::Internal
            }
        }
    }

    /// A stable name for answers, records and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::TooMany(_) => "too-many-leases",
            Self::KeyReused => "idempotency-key-reused",
            Self::InProgress(_) => "in-progress",
            Self::TargetUnavailable(_) => "target-unavailable",
            Self::TargetRefused => "target-refused",
            Self::Parameter => "parameter-refused",
            Self::Revoked => "lease-revoked",
            Self::NoLease => "lease-not-found",
            Self::NotRenewable => "lease-not-renewable",
            Self::StoreUnavailable => "store-unavailable",
            Self::Busy => "busy",
            Self::AuditUnavailable => "audit-unavailable",
            Self::Stopping => "stopping",
            Self::Internal => "internal-error",
        }
    }

    /// When the same may be asked again with better luck.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::InProgress(wait) | Self::TargetUnavailable(wait) => Some(*wait),
            Self::StoreUnavailable | Self::Busy | Self::AuditUnavailable | Self::Stopping => Some(SOON),
            _ => None,
        }
    }

    /// As its caller sees it.
    pub(crate) fn problem(&self) -> Problem {
        let of = |status, title: &'static str, detail: &'static str| {
            Problem::new(status, self.code(), title).with_detail(detail)
        };
        match self {
            Self::Denied(problem) => Problem::clone(problem),
            Self::TooMany(Cap::Owner) => of(
                429,
                "Too Many Requests",
                "this instance has as many leases of this credential as it may; end one, or let one end",
            ),
            Self::TooMany(Cap::Group) => of(
                429,
                "Too Many Requests",
                "this container group has as many leases of this credential as it may; end one, or let one end",
            ),
            Self::KeyReused => of(
                422,
                "Unprocessable Content",
                "this Idempotency-Key was sent with another request; take a new key for each request",
            ),
            Self::InProgress(_) => {
                of(409, "Conflict", "the same request is being answered already; send it again in a moment")
            }
            Self::TargetUnavailable(_) => of(
                503,
                "Service Unavailable",
                "the system that the credential is for does not answer now; send it again in a while",
            ),
            Self::TargetRefused => of(
                502,
                "Bad Gateway",
                "the system that the credential is for refuses; the broker's operator has to look at its log",
            ),
            Self::Parameter => of(
                400,
                "Bad Request",
                "a parameter has a value that the system that the credential is for does not take",
            ),
            Self::Revoked => of(409, "Conflict", "the lease was revoked while its credential was being made"),
            Self::NoLease => of(404, "Not Found", "you have no such lease, or it is over"),
            Self::NotRenewable => of(409, "Conflict", "the lease lives as long as it may; ask for a new credential"),
            Self::StoreUnavailable => {
                of(503, "Service Unavailable", "the broker cannot reach its store now; send it again")
            }
            Self::Busy => of(503, "Service Unavailable", "the broker has more to do than it can; send it again"),
            Self::AuditUnavailable => of(
                503,
                "Service Unavailable",
                "no record can be written now, and nothing is given out without one; send it again",
            ),
            Self::Stopping => of(503, "Service Unavailable", "the broker stops; send it again"),
            Self::Internal => cress_service::problem::internal_error(),
        }
    }
}
