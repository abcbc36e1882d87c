// SPDX-License-Identifier: Apache-2.0
//! Why a record is not durable, or recording cannot begin.

use std::time::Duration;

use cress_store::StoreError;

use super::{AuditKeyError, SettingsError};

/// A record that is not durable: what it is about must not be given out. The line may still be written later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditUnavailable {
    /// A sink failed a moment ago and is tried again.
    #[error("the records cannot be written at the moment; the log of the broker says why")]
    Failing,
    /// Nothing was confirmed in time.
    #[error("the record was not written within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// More records wait to be written than may.
    #[error("too many records wait to be written")]
    Full,
    /// The broker stops.
    #[error("the broker stops")]
    Stopping,
    /// The record cannot be written at all.
    #[error("the record cannot be put into words")]
    Unwritable,
}

/// Why recording cannot begin. One sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditStartError {
    /// What is set cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The keys cannot be had.
    #[error("audit keys: {0}")]
    Keys(#[from] AuditKeyError),
    /// The store does not do it.
    #[error("audit records in the store: {0}")]
    Store(#[from] StoreError),
    /// A sink cannot be opened.
    #[error("cannot open {sink} for audit records: {reason}")]
    Sink {
        /// Which.
        sink: String,
        /// Why, in plain words.
        reason: String,
    },
}
