// SPDX-License-Identifier: Apache-2.0
//! `endpoints.json` in the data directory.

use std::path::{Path, PathBuf};

use cress_api::endpoints::Endpoints;
use cress_service::data_dir::write_atomically;

const FILE: &str = "endpoints.json";

/// The file: it exists while everything runs, and holds what is true now.
#[derive(Debug)]
pub(super) struct EndpointsFile(PathBuf);

impl EndpointsFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
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
