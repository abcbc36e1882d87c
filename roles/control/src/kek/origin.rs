// SPDX-License-Identifier: Apache-2.0
//! Where this replica's key-encryption keys come from: sources that the operator keeps, or a file that control made.

use std::path::{Path, PathBuf};

use cress_keyring::{
    KeyEncryptionKeyError, KeyEncryptionKeyId, KeyEncryptionKeySource, KeyEncryptionKeys, with_first_key_alone,
    with_new_key,
};
use cress_service::data_dir::write_atomically;
use zeroize::Zeroizing;

use super::KekError;

/// Where they come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// From the configuration.
    Configured {
        /// The sources.
        sources: Vec<KeyEncryptionKeySource>,
        /// The id of the key that seals, if it is not the first.
        active: Option<KeyEncryptionKeyId>,
    },
    /// The file that control made at its first start.
    Own(PathBuf),
}

impl Origin {
    /// Reads them. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError`]
    pub(crate) fn load_now(&self) -> Result<KeyEncryptionKeys, KeyEncryptionKeyError> {
        match self {
            Self::Configured { sources, active } => KeyEncryptionKeys::load(sources, active.as_ref()),
            Self::Own(path) => KeyEncryptionKeys::load(&[KeyEncryptionKeySource::File(path.clone())], None),
        }
    }

    /// The same while control runs.
    pub(super) async fn load(&self) -> Result<KeyEncryptionKeys, KekError> {
        let origin = self.clone();
        Ok(blocking(move || origin.load_now()).await?)
    }

    /// Puts a new key before the one in control's own file. Where there are two already, a rotation was cut off: that one goes on.
    pub(super) async fn make_new_key(&self) -> Result<(), KekError> {
        let path = self.own()?.to_owned();
        if self.load().await?.descriptions().len() > 1 {
            return Ok(());
        }
        blocking(move || replace(&path, |former| Ok(with_new_key(former)?))).await
    }

    /// Leaves the first key of control's own file alone.
    pub(super) async fn keep_first_key_alone(&self) -> Result<(), KekError> {
        let path = self.own()?.to_owned();
        blocking(move || replace(&path, |former| Ok(with_first_key_alone(former)))).await
    }

    /// Whether there is such a file.
    pub(super) fn check_own(&self) -> Result<(), KekError> {
        self.own().map(drop)
    }

    fn own(&self) -> Result<&Path, KekError> {
        match self {
            Self::Own(path) => Ok(path),
            Self::Configured { .. } => Err(KekError::NotOwn),
        }
    }
}

fn replace(path: &Path, change: impl FnOnce(&str) -> Result<Zeroizing<String>, KekError>) -> Result<(), KekError> {
    let failed = |error: &dyn std::fmt::Display| KekError::File(error.to_string());
    let former = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| failed(&error))?;
    let content = change(&former)?;
    write_atomically(path, content.as_bytes()).map_err(|error| failed(&error))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime ends, and this task with it.
        Err(Err(_)) => std::future::pending().await,
    }
}
