// SPDX-License-Identifier: Apache-2.0
//! What may be wrong with a configuration. Each message names the place, what was expected, and what to do.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The configuration file.
    File(PathBuf),
    /// An environment variable, by its name.
    Variable(String),
    /// A command-line flag, as typed.
    Flag(String),
    /// Nothing set it: the built-in value.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(flag) => formatter.write_str(flag),
            Self::Default => formatter.write_str("the built-in configuration"),
        }
    }
}

/// A key or variable that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Where it stands.
    pub source: Source,
    /// The key with its path, such as `tls.certificat_file`.
    pub key: String,
    /// The nearest known one, written as the source would write it.
    pub nearest: Option<String>,
    /// What may stand there, if nothing is near.
    pub known: Vec<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Variable(name) => write!(formatter, "unknown environment variable {name}")?,
            source => write!(formatter, "unknown key `{}` in {source}", self.key)?,
        }
        match &self.nearest {
            Some(nearest) => write!(formatter, "; did you mean `{nearest}`?"),
            None if self.known.is_empty() => formatter.write_str("; it takes no keys there"),
            None => write!(formatter, "; known there: {}", self.known.join(", ")),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
    /// The file is no TOML.
    #[error("{}, line {line}, column {column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// Keys or variables that mean nothing.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Unknown(Vec<UnknownKey>),
    /// A required key that nothing sets.
    #[error("missing key `{key}`: set it in the configuration file or as environment variable {variable}")]
    Missing {
        /// The key with its path.
        key: String,
        /// The variable that would set it.
        variable: String,
    },
    /// A value of the wrong type or outside its bounds.
    #[error("key `{key}` in {origin}: {reason}")]
    Value {
        /// The key with its path.
        key: String,
        /// Where the value stands.
        origin: Source,
        /// What was expected and what came.
        reason: String,
    },
    /// Values that are good each by itself but not together.
    #[error("configuration in {origin}: {reason}")]
    Whole {
        /// Where most of it stands.
        origin: Source,
        /// What was expected and what came.
        reason: String,
    },
    /// A variable whose value is no UTF-8.
    #[error("environment variable {name}: expected text in UTF-8")]
    NotText {
        /// The variable.
        name: String,
    },
}
