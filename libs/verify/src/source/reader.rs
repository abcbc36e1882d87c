// SPDX-License-Identifier: Apache-2.0
//! Key sets for programs that hand them on instead of verifying with them.

use std::fmt;
use std::time::Duration;

use cress_jose::JwkSet;

use super::{FetchError, Fetched, Fetcher, FileFetcher, KeySource, RemoteFetcher, RemoteKeysError};

/// How soon keys that never change are looked at again.
const FIXED_LOOK: Duration = Duration::from_secs(3_600);

/// Reads the key set of a source again and again, under the same rules by which a [`crate::Verifier`] does: https or this machine,
/// no redirects, bounded size and time. It keeps no time and does not retry: who calls decides when.
pub struct KeySetReader {
    source: Source,
    last: Option<JwkSet>,
}

enum Source {
    Changing(Fetcher),
    Fixed(JwkSet),
}

/// What a look at the source found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// The set as the source has it now. It may be empty: whether that can be meant is for the caller to say.
    pub set: JwkSet,
    /// When to look again, as the source's answer and the bounds for it say.
    pub next_in: Duration,
}

impl KeySetReader {
    /// A reader of this source.
    ///
    /// # Errors
    /// [`RemoteKeysError::Client`].
    pub fn new(source: impl Into<KeySource>) -> Result<Self, RemoteKeysError> {
        let source = match source.into() {
            KeySource::Remote(keys) => Source::Changing(Fetcher::Remote(Box::new(RemoteFetcher::new(keys)?))),
            KeySource::File(path) => Source::Changing(Fetcher::File(FileFetcher::new(path))),
            KeySource::Fixed(set) => Source::Fixed(set),
        };
        Ok(Self { source, last: None })
    }

    /// Looks at the source.
    ///
    /// # Errors
    /// [`FetchError`]: what was read before is as good as it was.
    pub async fn look(&mut self) -> Result<Look, FetchError> {
        let Fetched { set, next_in } = match &mut self.source {
            Source::Changing(fetcher) => fetcher.fetch().await?,
            Source::Fixed(set) => Fetched { set: Some(set.clone()), next_in: FIXED_LOOK },
        };
        if set.is_some() {
            self.last = set;
        }
        // "As before" without a set before it is refused by the fetchers.
        self.last.clone().map(|set| Look { set, next_in }).ok_or(FetchError::Pending)
    }
}

impl fmt::Debug for KeySetReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.source {
            Source::Changing(fetcher) => fetcher.name(),
            Source::Fixed(_) => "fixed".to_owned(),
        };
        write!(formatter, "KeySetReader({name})")
    }
}
