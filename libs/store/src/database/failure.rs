// SPDX-License-Identifier: Apache-2.0
//! Translates what the driver reports into what the caller can do about it, in words an operator acts on.

use std::io::{Error, ErrorKind};

use super::{postgres, sqlite};
use crate::{DatabaseUrl, StoreError};

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let temporary = |reason: String| Self::Temporary { reason };
        match error {
            sqlx::Error::Database(error) => sqlite::failure(&*error)
                .or_else(|| postgres::failure(&*error))
                .unwrap_or_else(|| Self::permanent(format!("the database refused: {error}"))),
            // What rustls says of a certificate comes as such.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::permanent(tls_words(&error)),
            sqlx::Error::Tls(error) => Self::permanent(tls_words(&error)),
            sqlx::Error::Io(error) => temporary(format!("the connection to the database failed: {}", io_words(&error))),
            sqlx::Error::PoolTimedOut => temporary(
                "no connection to the database could be had in time; it is down or overloaded, or another process locks it"
                    .into(),
            ),
            sqlx::Error::WorkerCrashed => temporary("the connection to the database broke; try again".into()),
            sqlx::Error::PoolClosed => temporary("the database is closed, since the process ends".into()),
            other => {
                Self::permanent(format!("the database answered what this version of cress does not expect: {other}"))
            }
        }
    }
}

impl StoreError {
    /// Says of which database it speaks: for errors at the start, which stand alone.
    pub(crate) fn at(self, url: &DatabaseUrl) -> Self {
        let told = |reason: String| format!("cannot open the database {url}: {reason}");
        match self {
            Self::Temporary { reason } => Self::Temporary { reason: told(reason) },
            Self::Permanent { reason } => Self::Permanent { reason: told(reason) },
            other => other,
        }
    }
}

/// What a constraint said; the rest is a failure of the database itself.
pub(crate) enum Constraint {
    /// A value that must be unique is taken.
    Unique,
    /// A row that is referred to is missing, or a row still has others that refer to it.
    Reference,
}

/// The constraint that the database saw broken, if that is what failed.
pub(crate) fn broken_constraint(error: &sqlx::Error) -> Option<Constraint> {
    match error.as_database_error()?.kind() {
        sqlx::error::ErrorKind::UniqueViolation => Some(Constraint::Unique),
        sqlx::error::ErrorKind::ForeignKeyViolation => Some(Constraint::Reference),
        _ => None,
    }
}

fn tls_words(error: &dyn std::fmt::Display) -> String {
    format!(
        "TLS with the database failed: {error}; check sslmode, and that sslrootcert names the authority of the server's certificate"
    )
}

pub(super) fn io_words(error: &Error) -> String {
    let words = match error.kind() {
        ErrorKind::StorageFull => "the disk is full; free some space on it",
        ErrorKind::QuotaExceeded => "the disk quota is used up; free some space or raise the quota",
        ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only",
        ErrorKind::PermissionDenied => "permission denied; check the owner and mode",
        ErrorKind::NotFound | ErrorKind::NotADirectory => "its directory does not exist",
        ErrorKind::IsADirectory => "it is a directory, expected a file",
        _ => return error.to_string(),
    };
    words.to_owned()
}
