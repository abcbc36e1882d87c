// SPDX-License-Identifier: Apache-2.0
//! What has been decided when a provider is called.

use std::collections::BTreeMap;

use cress_domain::{AccountName, CredentialName, Issuer, LeaseId, Timestamp};

/// A credential that is to be made. Everything in it has been verified or decided; nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its lease.
    pub lease: LeaseId,
    /// The account to make, if the provider makes accounts.
    pub account: AccountName,
    /// Which credential.
    pub credential: CredentialName,
    /// For whom.
    pub subject: Subject,
    /// When it was decided.
    pub granted_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What was asked for besides, names that the credential's settings allow. Values are a tenant's choice: they are data, and a
    /// provider must not let them mean anything else.
    pub parameters: BTreeMap<String, String>,
}

/// Who is given a credential, from the claims of a verified token. Ids of one issuer mean nothing with another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Who says so: `iss`.
    pub issuer: Issuer,
    /// `sub`.
    pub subject: Option<String>,
    /// The organization's id.
    pub organization_id: Option<String>,
    /// The container group's id.
    pub group_id: Option<String>,
    /// The instance's id.
    pub instance_id: Option<String>,
    /// The machine's id.
    pub machine_id: Option<String>,
}
