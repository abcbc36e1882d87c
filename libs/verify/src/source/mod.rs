// SPDX-License-Identifier: Apache-2.0
//! Where the keys of an issuer come from.

mod discovery;
mod fetch;
mod file;
mod freshness;
mod reader;
mod remote;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cress_jose::{JWKS_BYTES_MAX, JwkSet, JwksError};

pub use discovery::DiscoveryError;
pub use reader::{KeySetReader, Look};
pub use remote::{RemoteKeys, RemoteKeysError};

use freshness::RefreshBounds;

pub(crate) use fetch::RemoteFetcher;
pub(crate) use file::FileFetcher;

/// Where the keys of an issuer come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// A URL that publishes a JSON Web Key Set, or an issuer that says where it is.
    Remote(RemoteKeys),
    /// A file with a JSON Web Key Set, read again every few seconds, so that a changed file counts without a restart.
    File(PathBuf),
    /// Keys that never change.
    Fixed(JwkSet),
}

impl From<RemoteKeys> for KeySource {
    fn from(keys: RemoteKeys) -> Self {
        Self::Remote(keys)
    }
}

impl From<PathBuf> for KeySource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<JwkSet> for KeySource {
    fn from(set: JwkSet) -> Self {
        Self::Fixed(set)
    }
}

/// Why a key set could not be read. The set that was read before stays in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The first attempt has not come to an end yet.
    #[error("the first attempt has not come to an end yet")]
    Pending,
    /// No connection, or one that broke.
    #[error("no answer from the key set's server: {0}")]
    Unreachable(String),
    /// No complete answer in time.
    #[error("expected a complete answer from the key set's server within {} s, got none", .0.as_secs_f64())]
    TimedOut(Duration),
    /// A redirect: whoever may redirect could name another host's keys.
    #[error("expected a key set, got a redirect ({0}), which is not followed; configure the URL that it leads to")]
    Redirected(u16),
    /// Another status than 200, or 304 without having been asked for it.
    #[error("expected a key set with status 200, got status {0}")]
    Status(u16),
    /// An answer or a file that is longer than any key set.
    #[error("expected a key set of at most {JWKS_BYTES_MAX} bytes, got more")]
    TooLong,
    /// Something else than a key set.
    #[error(transparent)]
    Malformed(#[from] JwksError),
    /// A discovery document that does not say where the keys are.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Certificate authorities that cannot be read, or a client that cannot be made with them.
    #[error(transparent)]
    Source(#[from] RemoteKeysError),
    /// A file that cannot be read.
    #[error("the key set's file cannot be read: {0}")]
    File(io::ErrorKind),
}

/// What a look at the source found.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The set, unless it is what it was.
    pub(crate) set: Option<JwkSet>,
    /// When to look again.
    pub(crate) next_in: Duration,
}

/// A source with what is remembered from one look to the next.
pub(crate) enum Fetcher {
    Remote(Box<RemoteFetcher>),
    File(FileFetcher),
}

impl Fetcher {
    pub(crate) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        match self {
            Self::Remote(fetcher) => fetcher.fetch().await,
            Self::File(fetcher) => fetcher.fetch().await,
        }
    }

    /// For log lines. It has no credentials: a URL with some is refused.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Remote(fetcher) => fetcher.url().to_string(),
            Self::File(fetcher) => fetcher.path().display().to_string(),
        }
    }
}
