// SPDX-License-Identifier: Apache-2.0
//! What can fail, and what can be done about it. Of what the server says only the code and the message are kept: its detail, hint and
//! context may repeat statements and rows.

use std::time::Duration;

use cress_provider::{Operation, ProviderError, ProviderErrorKind, SecretError};
use sqlx::postgres::PgDatabaseError;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server's answer.
    #[error("{}", server_says(.code, .message))]
    Server {
        /// SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        code: String,
        message: String,
    },
    #[error("the connection to the server failed: {0}")]
    Broken(String),
    #[error("the server has not answered for {} seconds", .0.as_secs())]
    Silent(Duration),
    #[error("all {connections_max} connections to the server were busy for {} seconds; raise connections_max, or find what keeps the server busy", .waited.as_secs())]
    Busy { connections_max: u32, waited: Duration },
    #[error("the password of the broker's role cannot be read: {0}")]
    Password(#[from] SecretError),
    #[error("the server takes no writes: it is a standby, or about to become the primary; connect to the primary")]
    Standby,
    #[error("{sessions} sessions of {account} have not ended for {} seconds", .waited.as_secs())]
    Sessions { account: String, sessions: i64, waited: Duration },
    /// What the operator has to change.
    #[error("{0}")]
    Unfit(String),
    #[error("the server answered otherwise than expected: {0}")]
    Unexpected(String),
}

impl Failure {
    pub(crate) fn into_error(self, operation: Operation) -> ProviderError {
        ProviderError::new(self.kind(), operation, self.to_string())
    }

    /// The server refused: the connection is as good as before.
    pub(crate) const fn is_an_answer(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// The server closes the connection with this answer (operator_intervention).
    pub(crate) fn ends_the_connection(&self) -> bool {
        matches!(self.code(), Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04"))
    }

    /// There is no role of the name in the statement (undefined_object).
    pub(crate) fn is_missing_role(&self) -> bool {
        self.code() == Some("42704")
    }

    /// There is a role of that name (duplicate_object), or there will be when another transaction ends (unique_violation).
    pub(crate) fn is_taken_name(&self) -> bool {
        matches!(self.code(), Some("42710" | "23505"))
    }

    /// The role owns something, or is granted something (dependent_objects_still_exist).
    pub(crate) fn is_still_needed(&self) -> bool {
        self.code() == Some("2BP01")
    }

    /// The broker's role may not do that (insufficient_privilege).
    pub(crate) fn is_denied(&self) -> bool {
        self.code() == Some("42501")
    }

    /// Another transaction holds the row or the object: lock_not_available, deadlock_detected, and `tuple concurrently updated`, which
    /// has no code of its own.
    pub(crate) fn is_in_use(&self) -> bool {
        match self {
            Self::Server { code, message } => {
                matches!(code.as_str(), "55P03" | "40P01")
                    || (code == "XX000" && message.contains("tuple concurrently"))
            }
            _ => false,
        }
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// A server that lets the broker itself in no more would refuse all else too, so it counts as away.
    fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::Server { .. } if self.is_in_use() => ProviderErrorKind::Unavailable,
            Self::Server { code, .. } => match code.get(..2) {
                Some("08" | "25" | "28" | "3D" | "40" | "53" | "57" | "58") => ProviderErrorKind::Unavailable,
                _ => ProviderErrorKind::Refused,
            },
            Self::Unfit(_) | Self::Unexpected(_) => ProviderErrorKind::Refused,
            _ => ProviderErrorKind::Unavailable,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => Self::Server { code: error.code().to_owned(), message: error.message().to_owned() },
                None => Self::Unexpected("an error of another kind of database".to_owned()),
            },
            sqlx::Error::Io(error) => Self::Broken(error.to_string()),
            sqlx::Error::Tls(error) => Self::Broken(format!("TLS: {error}")),
            error => Self::Broken(error.to_string()),
        }
    }
}

/// What it means, for the codes that an operator can do something about. A syntax error repeats the statement, so it is left out.
fn server_says(code: &str, message: &str) -> String {
    let remedy = match code {
        "28P01" | "28000" => "; check the broker's user, its password, and the server's pg_hba.conf",
        "3D000" => "; check the name of the database",
        "42501" => "; see the rights that the broker's role needs in the provider's README",
        "53300" => "; lower connections_max, or raise max_connections of the server",
        "53100" => "; free some space on the server's disk",
        "55P03" | "40P01" => "; another transaction holds what is to be changed",
        "57014" => "; the server is overloaded, or waits for a standby",
        _ => "",
    };
    let message = if code == "42601" { "the statement was not understood" } else { message };
    format!("{message} (SQLSTATE {code}){remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str, message: &str) -> Failure {
        Failure::Server { code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn codes_tell_who_can_do_something() {
        use ProviderErrorKind::{Refused, Unavailable};
        for (code, message, kind) in [
            ("28P01", "password authentication failed for user \"broker\"", Unavailable),
            ("57P01", "terminating connection due to administrator command", Unavailable),
            ("53300", "too many connections", Unavailable),
            ("25006", "cannot execute CREATE ROLE in a read-only transaction", Unavailable),
            ("55P03", "canceling statement due to lock timeout", Unavailable),
            ("XX000", "tuple concurrently updated", Unavailable),
            ("XX000", "cache lookup failed", Refused),
            ("42501", "permission denied to create role", Refused),
            ("2BP01", "role cannot be dropped because some objects depend on it", Refused),
            ("", "", Refused),
        ] {
            assert_eq!(server(code, message).into_error(Operation::Issue).kind(), kind, "{code} {message}");
        }
    }

    #[test]
    fn a_syntax_error_does_not_repeat_the_statement() {
        let error = server("42601", "syntax error at or near \"SCRAM-SHA-256$4096:\"").into_error(Operation::Issue);
        assert!(!format!("{error} {error:?}").contains("SCRAM"), "{error:?}");
    }
}
