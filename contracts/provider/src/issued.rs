// SPDX-License-Identifier: Apache-2.0
//! What a workload is given.

use std::collections::BTreeMap;

use cress_domain::{Secret, Timestamp};

/// A credential. Its fields are what the workload gets to see, in JSON, under the names that the provider documents, such as
/// `username` and `password`.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Name to value. Names are lower-case words joined by underscores.
    pub fields: BTreeMap<String, FieldValue>,
    /// When it really ends, if that is earlier than the grant says.
    pub expires_at: Option<Timestamp>,
}

/// One part of a credential.
#[derive(Debug, Clone)]
pub enum FieldValue {
    /// What may be seen: a user name, a host.
    Text(String),
    /// A number that may be seen: a port.
    Number(u32),
    /// What may not be seen by anyone else.
    Secret(Secret<String>),
}

impl Issued {
    /// A credential of these fields that lives as long as granted.
    #[must_use]
    pub fn new<const FIELDS: usize>(fields: [(&str, FieldValue); FIELDS]) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { fields, expires_at: None }
    }
}
