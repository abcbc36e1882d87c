// SPDX-License-Identifier: Apache-2.0
//! What the lease engine does of its own accord, for the audit. It waits for nobody.

use cress_domain::{AccountName, LeaseId, ProviderName};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The account of a lease is no more.
    Ended {
        /// The lease.
        lease: LeaseId,
        /// At which target.
        provider: ProviderName,
    },
    /// Its revocation did not succeed, and is tried again.
    NotEnded {
        /// The lease.
        lease: LeaseId,
        /// At which target.
        provider: ProviderName,
        /// Why, for the operator; no secret.
        error: String,
    },
    /// An account of this deployment that no lease was known of is no more.
    StrayRemoved {
        /// The account.
        account: AccountName,
        /// At which target.
        provider: ProviderName,
    },
    /// Accounts without a lease are not removed before the operator says so.
    StraysHeld {
        /// At which target.
        provider: ProviderName,
        /// Why.
        reason: String,
    },
}

/// Who hears of events. It must not wait: revocation goes on whatever becomes of the audit.
pub trait Events: Send + Sync {
    /// Something happened.
    fn happened(&self, event: Event);
}

/// Nobody hears.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unheard;

impl Events for Unheard {
    fn happened(&self, _event: Event) {}
}
