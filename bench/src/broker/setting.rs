// SPDX-License-Identifier: Apache-2.0
//! An issuer whose keys lie in a file, and files of its tokens.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::issuer::{INSTANCES, Issuer};

/// Where everything of one measurement lies, until it is dropped.
pub(super) struct Setting {
    pub(super) issuer: Issuer,
    directory: TempDir,
    made: usize,
}

impl Setting {
    pub(super) fn new() -> anyhow::Result<Self> {
        let (issuer, directory) = (Issuer::new()?, tempfile::tempdir()?);
        fs::write(directory.path().join("jwks.json"), issuer.jwks()?)?;
        Ok(Self { issuer, directory, made: INSTANCES })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A token of each instance.
    pub(super) fn known(&self) -> anyhow::Result<PathBuf> {
        let file = self.path().join("known");
        self.issuer.write_tokens(0..INSTANCES, &file)?;
        Ok(file)
    }

    /// So many that were never shown to anyone.
    pub(super) fn fresh(&mut self, count: usize) -> anyhow::Result<PathBuf> {
        let file = self.path().join("fresh");
        self.issuer.write_tokens(self.made..self.made + count, &file)?;
        self.made += count;
        Ok(file)
    }
}
