// SPDX-License-Identifier: Apache-2.0
//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the database is: `sqlite:<path>`. A relative path starts at the working directory; nothing in it is percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Location);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite(PathBuf),
}

/// A text that is no address of a database. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the database as sqlite:<path of a file>, such as sqlite:/var/lib/cress/store.db")]
pub struct DatabaseUrlError;

impl DatabaseUrl {
    /// The SQLite database in this file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Location::Sqlite(path.into()))
    }

    /// The file, if the database is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let Location::Sqlite(path) = &self.0;
        Some(path)
    }

    pub(crate) const fn location(&self) -> &Location {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError)?;
        // sqlite://path is what other programs write; the two slashes would otherwise make it an absolute path.
        let path = path.strip_prefix("//").unwrap_or(path);
        let in_memory = path.starts_with(':');
        if path.is_empty() || in_memory || path.contains('\0') { Err(DatabaseUrlError) } else { Ok(Self::sqlite(path)) }
    }
}

/// Without any password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location::Sqlite(path) = &self.0;
        write!(formatter, "sqlite:{}", path.display())
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
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError), "{bad}");
        }
        assert_eq!(DatabaseUrl::sqlite("/a/b").to_string(), "sqlite:/a/b");
    }
}
