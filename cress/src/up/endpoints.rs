// SPDX-License-Identifier: Apache-2.0
//! `endpoints.json` in the data directory.

use std::path::{Path, PathBuf};

use cress_api::endpoints::Endpoints;
use cress_service::data_dir::{DataDir, DataDirError, write_atomically};

const FILE: &str = "endpoints.json";

/// The file: it exists while everything runs, and holds what is true now.
#[derive(Debug)]
pub(super) struct EndpointsFile(PathBuf);

impl EndpointsFile {
    /// The file in this directory, without what a killed process left in it. The directory is locked for that moment, so
    /// that the file of a process that runs is left alone.
    ///
    /// # Errors
    /// [`DataDirError`] if the directory cannot be used, or is another process's.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, DataDirError> {
        let data_dir = DataDir::open(data_dir)?;
        let file = Self(data_dir.file(FILE));
        file.remove();
        Ok(file)
    }

    pub(super) fn write(&self, endpoints: &Endpoints) -> anyhow::Result<()> {
        Ok(write_atomically(&self.0, &serde_json::to_vec_pretty(endpoints)?)?)
    }

    /// Writes what has changed while everything runs; scripts that cannot be told are no reason to stop.
    pub(super) fn follow(&self, endpoints: &Endpoints) {
        if let Err(error) = self.write(endpoints) {
            tracing::warn!("{error:#}");
        }
    }

    /// Removes the file: what it says is no longer true.
    pub(super) fn remove(&self) {
        // That it is not there is what was wanted.
        let _absent = std::fs::remove_file(&self.0);
    }
}
