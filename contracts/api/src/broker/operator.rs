// SPDX-License-Identifier: Apache-2.0
//! The operator's API, on a Unix socket that only the broker's user may open.

use cress_domain::{CredentialName, Issuer, LeaseId, ProviderName};
use serde::{Deserialize, Serialize};

use super::LeaseStatus;

/// Paths of the operator's API.
pub mod operator_paths {
    /// `GET` list of [`super::OperatorLease`]; the parameters `instance`, `group`, `credential`, `provider`, `issuer`, `status`, `after` (a lease's id)
    /// and `limit` choose which.
    pub const LEASES: &str = "/v1/leases";
    /// `GET` [`super::OperatorLease`].
    pub const LEASE: &str = "/v1/leases/{id}";
    /// `POST` [`super::RevokeLeases`] -> [`super::RevokedLeases`].
    pub const REVOKE: &str = "/v1/leases/revoke";
    /// `GET` list of [`super::StuckTarget`].
    pub const STUCK: &str = "/v1/targets/stuck";
    /// `POST` [`super::ReleaseTarget`] -> [`super::ReleasedTarget`].
    pub const RELEASE: &str = "/v1/targets/release";
    /// `POST` [`super::EndedInstances`] -> [`super::RevokedLeases`]: what control says of instances that are no more.
    pub const INSTANCES_ENDED: &str = "/v1/instances/ended";
    /// `GET` list of [`super::super::StoredSecretVersion`]; `POST` [`super::super::PutSecret`] -> [`super::super::WhichSecret`].
    pub const SECRETS: &str = "/v1/secrets";
    /// `POST` [`super::super::WhichSecret`]: the version that is given out from now on.
    pub const SECRETS_ACTIVATE: &str = "/v1/secrets/activate";
    /// `POST` [`super::super::WhichSecret`]: the version that is erased.
    pub const SECRETS_RETIRE: &str = "/v1/secrets/retire";
}

/// A lease, as the operator sees it. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorLease {
    /// Its id.
    pub lease_id: LeaseId,
    /// Of which credential.
    pub credential: CredentialName,
    /// At which target.
    pub provider: ProviderName,
    /// Where it stands.
    pub status: LeaseStatus,
    /// Who says whose it is.
    pub issuer: Issuer,
    /// Whose it is, in words such as `instance 87659e43-19b0-4338-b3cc-d0a303c72af6`.
    pub owner: String,
    /// The account at the target, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it was granted (RFC 3339).
    pub granted_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
    /// Until when it may live with all renewals (RFC 3339).
    pub renewable_until: String,
    /// When something is done about it next (RFC 3339).
    pub due_at: String,
    /// How often its revocation was tried in vain.
    pub attempts: u32,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Which leases are revoked: exactly one member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeLeases {
    /// This one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// Those of an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Those of a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// Those at a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Those that this issuer's tokens got; or, beside `instance`, whose instance it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedLeases {
    /// How many leases were good and are being ended now.
    pub leases: u64,
}

/// Instances that are no more. Their leases are revoked at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedInstances {
    /// Whose instances they are.
    pub issuer: Issuer,
    /// Their ids.
    pub instances: Vec<String>,
}

/// A target that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckTarget {
    /// The target. It may be configured no more.
    pub provider: String,
    /// In words: what is wrong, and what to do.
    pub state: String,
    /// Leases that are not gone.
    pub leases: u64,
    /// How many revocations are due there.
    pub due: u64,
    /// Since when the oldest of them is (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_due_at: Option<String>,
    /// Accounts that no lease is known of.
    pub strays: u64,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A target at which accounts without a lease may be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTarget {
    /// The target.
    pub provider: ProviderName,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedTarget {
    /// Whether anything waited for it.
    pub was_held: bool,
}
