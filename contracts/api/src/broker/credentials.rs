// SPDX-License-Identifier: Apache-2.0
//! Credentials, as workloads see them.

use std::collections::BTreeMap;
use std::fmt;

use cress_domain::{CredentialName, LeaseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A credential that the caller may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Its name.
    #[schemars(with = "String")]
    pub name: CredentialName,
    /// What kind of system it is for, such as `redis`.
    pub kind: String,
    /// When it stops working after its lease has been revoked.
    pub revocation: Revocation,
    /// Whether its lease can be renewed.
    pub renewable: bool,
    /// How long it lives if nothing is said, in seconds.
    pub ttl_seconds_default: u32,
    /// How long it may live at once, in seconds.
    pub ttl_seconds_max: u32,
    /// How long it may live with all renewals, in seconds.
    pub lifetime_seconds_max: u32,
    /// Whether all instances of the caller's container group are given the same.
    pub shared: bool,
    /// The parameters that may be given, by name.
    pub parameters: Vec<String>,
}

/// When a credential stops working after its lease has been revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// At once, in open connections too.
    Immediately,
    /// When the operator ends all that hang on the same parent or version.
    ByGroup,
    /// At its own end and not before.
    AtExpiry,
}

/// Body of `POST /v1/credentials/{name}`; may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// How long the credential is to live, in seconds; as the broker is configured by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// What else is asked for, by names that the credential allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// Answer of `POST /v1/credentials/{name}`: secret, but for the lease.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedCredential {
    /// With which it is renewed and revoked. Of no use to anybody else.
    #[schemars(with = "String")]
    pub lease_id: LeaseId,
    /// When it ends (RFC 3339).
    pub expires_at: String,
    /// Whether the lease can be renewed.
    pub renewable: bool,
    /// The credential: names and values as its provider documents them.
    pub credential: Map<String, Value>,
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IssuedCredential")
            .field("lease_id", &self.lease_id)
            .field("expires_at", &self.expires_at)
            .field("renewable", &self.renewable)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_shown_and_an_unknown_member_is_refused() {
        let json = r#"{"lease_id":"87659e43-19b0-4338-b3cc-d0a303c72af6","expires_at":"2026-01-01T00:00:00Z","renewable":true,
            "credential":{"password":"hunter2"}}"#;
        let issued: IssuedCredential = serde_json::from_str(json).unwrap();
        assert!(!format!("{issued:?}").contains("hunter2"));
        assert_eq!(serde_json::from_str::<IssueRequest>("{}").unwrap(), IssueRequest::default());
        assert!(serde_json::from_str::<IssueRequest>(r#"{"ttl":5}"#).is_err());
    }
}
