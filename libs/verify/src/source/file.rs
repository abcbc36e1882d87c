// SPDX-License-Identifier: Apache-2.0
//! A key set in a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cress_jose::{JWKS_BYTES_MAX, JwkSet};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{FetchError, Fetched};

/// How often the file is read. It is compared by what it holds: a time stamp misses a change within its resolution, and the
/// files of a Kubernetes volume change by a link's turning elsewhere.
const READ_EVERY: Duration = Duration::from_secs(5);

/// Reads the file, and parses it if it has changed.
pub(crate) struct FileFetcher {
    path: PathBuf,
    parsed: Option<Vec<u8>>,
}

impl FileFetcher {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, parsed: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let bytes = read(&self.path).await?;
        if self.parsed.as_ref() == Some(&bytes) {
            return Ok(Fetched { set: None, next_in: READ_EVERY });
        }
        let set = JwkSet::parse(&bytes)?;
        self.parsed = Some(bytes);
        Ok(Fetched { set: Some(set), next_in: READ_EVERY })
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    let limit = u64::try_from(JWKS_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(path).await.map_err(|error| FetchError::File(error.kind()))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).await.map_err(|error| FetchError::File(error.kind()))?;
    if bytes.len() > JWKS_BYTES_MAX { Err(FetchError::TooLong) } else { Ok(bytes) }
}
