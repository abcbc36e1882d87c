// SPDX-License-Identifier: Apache-2.0
//! Where the database is. Whatever this module shows of an address is without its password.

mod postgres;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cress_domain::Secret;

pub(crate) use postgres::{Host, PostgresAddress, TlsMode};

/// Where the database is: `sqlite:<path>` or `postgres://<user>@<host>:<port>/<database>`. A relative path starts at the working
/// directory; nothing in it is percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Location);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite(PathBuf),
    Postgres(Box<PostgresAddress>),
}

/// A text that is no address of a database. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Neither a file nor a server.
    #[error(
        "expected the database as sqlite:<path of a file> or postgres://<user>@<host>/<database>, such as \
         sqlite:/var/lib/cress/store.db or postgres://cress@db.example/cress; in a user or password, percent-encode \
         what could mean something in a URL"
    )]
    Form,
    /// No user or no database.
    #[error("expected a user and a database in postgres://<user>@<host>/<database>")]
    Incomplete,
    /// A parameter that cress does not know.
    #[error(
        "expected no parameters in the database's URL but sslmode, sslrootcert, sslcert, sslkey, host and user, each once"
    )]
    Parameter,
    /// Not a way to use TLS.
    #[error(
        "expected sslmode to be verify-full (TLS with a server whose certificate and name are checked), require (TLS with \
         whoever answers) or disable"
    )]
    TlsMode,
    /// A client certificate without its key, or the other way.
    #[error("expected sslcert and sslkey together, or neither")]
    ClientCertificate,
}

impl DatabaseUrl {
    /// The SQLite database in this file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Location::Sqlite(path.into()))
    }

    /// The file, if the database is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Location::Sqlite(path) => Some(path),
            Location::Postgres(_) => None,
        }
    }

    /// The same with this password, in place of any in the URL. A file has none.
    #[must_use]
    pub fn with_password(mut self, password: Secret<String>) -> Self {
        if let Location::Postgres(address) = &mut self.0 {
            address.password = Some(password);
        }
        self
    }

    /// Whether a password is known: nothing in a URL that has none need be kept from others.
    #[must_use]
    pub fn has_password(&self) -> bool {
        matches!(&self.0, Location::Postgres(address) if address.password.is_some())
    }

    pub(crate) const fn location(&self) -> &Location {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresAddress::parse(text).map(Box::new).map(Location::Postgres).map(Self);
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError::Form)?;
        // sqlite://path is what other programs write; the two slashes would otherwise make it an absolute path.
        let path = path.strip_prefix("//").unwrap_or(path);
        let in_memory = path.starts_with(':');
        if path.is_empty() || in_memory || path.contains('\0') {
            Err(DatabaseUrlError::Form)
        } else {
            Ok(Self::sqlite(path))
        }
    }
}

/// Without any password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Location::Postgres(address) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_an_address() {
        for (text, path) in [
            ("sqlite:/var/lib/cress/store.db", "/var/lib/cress/store.db"),
            ("sqlite:///var/lib/cress/store.db", "/var/lib/cress/store.db"),
            ("sqlite:store.db", "store.db"),
            ("sqlite:a b?c%20#d.db", "a b?c%20#d.db"),
        ] {
            assert_eq!(text.parse(), Ok(DatabaseUrl::sqlite(path)), "{text}");
        }
        for bad in ["", "store.db", "sqlite:", "sqlite://", "sqlite::memory:", "mysql://h/d", "sqlite:a\0"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Form), "{bad}");
        }
        assert_eq!(DatabaseUrl::sqlite("/a/b").to_string(), "sqlite:/a/b");
    }
}
