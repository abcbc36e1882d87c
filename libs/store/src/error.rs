// SPDX-License-Identifier: Apache-2.0
//! What went wrong, sorted by what the caller can do about it.

/// Why the store did not do as asked. Nothing was changed then, except where [`StoreError::Temporary`] says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The thing named does not exist.
    #[error("there is no {what}")]
    NotFound {
        /// What was looked for, such as `container group 2c35...`.
        what: String,
    },
    /// Something else has that name or id already.
    #[error("the {what} already exists")]
    Conflict {
        /// What is taken, such as `project named "demo" in this organization`.
        what: String,
    },
    /// It has children, which must go first.
    #[error("the {what} still has {children}; delete these first")]
    InUse {
        /// What was to be deleted.
        what: String,
        /// What it still has, such as `projects`.
        children: &'static str,
    },
    /// A compare-and-swap lost: someone else changed it first. Load it again, decide again.
    #[error("the {what} was changed by someone else in the meantime; load it again")]
    Outdated {
        /// What was to be changed.
        what: &'static str,
    },
    /// The database cannot do it now but may later: busy, disk full, connection lost. If it happened at the very commit,
    /// whether the write took place is unknown, so try again only what may be repeated.
    #[error("{reason}")]
    Temporary {
        /// Why and what to do, in plain words.
        reason: String,
    },
    /// The database will not do it until someone acts: damaged file, no permission, newer schema, row nobody can read.
    #[error("{reason}")]
    Permanent {
        /// Why and what to do, in plain words.
        reason: String,
    },
}

/// The kind of a [`StoreError`], for maps from errors to answers and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// See [`StoreError::NotFound`].
    NotFound,
    /// See [`StoreError::Conflict`].
    Conflict,
    /// See [`StoreError::InUse`].
    InUse,
    /// See [`StoreError::Outdated`].
    Outdated,
    /// See [`StoreError::Temporary`].
    Temporary,
    /// See [`StoreError::Permanent`].
    Permanent,
}

impl StoreError {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::NotFound { .. } => StoreErrorKind::NotFound,
            Self::Conflict { .. } => StoreErrorKind::Conflict,
            Self::InUse { .. } => StoreErrorKind::InUse,
            Self::Outdated { .. } => StoreErrorKind::Outdated,
            Self::Temporary { .. } => StoreErrorKind::Temporary,
            Self::Permanent { .. } => StoreErrorKind::Permanent,
        }
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    pub(crate) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }

    pub(crate) fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }
}
