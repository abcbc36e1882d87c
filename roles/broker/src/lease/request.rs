// SPDX-License-Identifier: Apache-2.0
//! What the lease engine is asked for, when everything has been decided, and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use cress_domain::{LeaseId, Timestamp};
use cress_provider::{Issued, Subject};
use cress_store::broker::Owner;

use super::Offer;

/// A credential that has been decided to be given out.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which.
    pub offer: Arc<Offer>,
    /// For whom.
    pub subject: Subject,
    /// Whose the lease will be. For an offer that is shared by group it is [`Owner::Group`].
    pub owner: Owner,
    /// When it was decided.
    pub granted_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Until when it may live with all renewals; `expires_at` if it cannot be renewed.
    pub renew_until: Timestamp,
    /// What else was asked for.
    pub parameters: BTreeMap<String, String>,
    /// If the same answer is to be given to the same request again. Of no meaning for an offer that is shared: there the answer is the same
    /// anyway.
    pub idempotency: Option<Idempotency>,
}

/// What makes a request the same as an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// SHA-256 of the caller's key. The engine binds it to the owner.
    pub key: [u8; 32],
    /// SHA-256 of all that was asked for.
    pub request: [u8; 32],
}

/// A credential that is given out.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Its lease.
    pub lease_id: LeaseId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it can live longer.
    pub renewable: bool,
    /// The credential.
    pub issued: Issued,
    /// Whether this is an earlier answer once more, or a credential that others share.
    pub replayed: bool,
}

/// A lease that lives longer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it can live longer still.
    pub renewable: bool,
}
