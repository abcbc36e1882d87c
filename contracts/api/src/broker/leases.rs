// SPDX-License-Identifier: Apache-2.0
//! Leases, as workloads see their own.

use std::collections::BTreeMap;

use cress_domain::{CredentialName, LeaseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/leases/{id}/renew`; may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// How long the lease is to live from now on, in seconds; as the broker is configured by default. It never lives longer than the
    /// credential's longest life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// The parameters that the credential was asked for with: policies look at them again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// Answer of `POST /v1/leases/{id}/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenewedLease {
    /// The lease.
    #[schemars(with = "String")]
    pub lease_id: LeaseId,
    /// When it ends now (RFC 3339).
    pub expires_at: String,
    /// Whether it can be renewed again.
    pub renewable: bool,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// Its id.
    #[schemars(with = "String")]
    pub lease_id: LeaseId,
    /// Of which credential.
    #[schemars(with = "String")]
    pub credential: CredentialName,
    /// Where it stands.
    pub status: LeaseStatus,
    /// When it was granted (RFC 3339).
    pub granted_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseStatus {
    /// The credential is being made.
    Intended,
    /// It is good.
    Active,
    /// It is being ended.
    Revoking,
    /// It is over.
    Gone,
}
