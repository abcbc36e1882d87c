// SPDX-License-Identifier: Apache-2.0
//! Stored secrets, as the operator puts them and sees them: a value goes in and never comes out here.

use std::collections::BTreeMap;
use std::fmt;

use cress_domain::Name;
use serde::{Deserialize, Serialize};

/// A new version of a secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutSecret {
    /// Whose.
    pub name: Name,
    /// Its parts, by name.
    pub fields: BTreeMap<String, String>,
    /// Whether it is given out from now on.
    pub activate: bool,
}

/// A version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhichSecret {
    /// Whose.
    pub name: Name,
    /// Counts from 1.
    pub version: u32,
}

/// A version of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecretVersion {
    /// Whose.
    pub name: Name,
    /// Counts from 1.
    pub version: u32,
    /// The names of its parts.
    pub fields: Vec<String>,
    /// `active`, `stored` or `retired`.
    pub state: String,
    /// When it was put (RFC 3339).
    pub created_at: String,
    /// When it was retired (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<String>,
}

impl fmt::Debug for PutSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.keys().collect();
        formatter.debug_struct("PutSecret").field("name", &self.name).field("fields", &names).finish_non_exhaustive()
    }
}
