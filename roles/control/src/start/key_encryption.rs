// SPDX-License-Identifier: Apache-2.0
//! The key-encryption keys: those configured, or with SQLite one that is made at the first start, beside the data directory, so that
//! a backup of the latter opens nothing.

use std::path::{Path, PathBuf};

use cress_keyring::{KeyEncryptionKeys, generate_file};
use cress_store::DatabaseUrl;

use super::StartError;
use crate::config::KeyEncryption;
use crate::kek::Origin;

/// What the data directory's name is followed by.
const SUFFIX: &str = ".kek";

/// Loads the keys and says where they come from; makes one if that is allowed. Blocks briefly on the disk.
pub(super) fn load(
    config: &KeyEncryption,
    data_dir: &Path,
    database: &DatabaseUrl,
) -> Result<(KeyEncryptionKeys, Origin), StartError> {
    let origin = if config.keys.is_empty() {
        let file = database.file().ok_or(StartError::KeyEncryptionKeyMissing)?;
        Origin::Own(own_key(data_dir, file)?)
    } else {
        let active = config.active.as_deref().map(str::parse).transpose()?;
        Origin::Configured { sources: config.keys.clone(), active }
    };
    Ok((origin.load_now()?, origin))
}

/// The key beside the data directory. A new one is made only for a new database: for an old one it would open nothing.
fn own_key(data_dir: &Path, database: &Path) -> Result<PathBuf, StartError> {
    let path = own_key_path(data_dir).ok_or_else(|| StartError::DataDirWithoutName { path: data_dir.to_owned() })?;
    if path.exists() {
        return Ok(path);
    }
    if database.exists() {
        return Err(StartError::KeyEncryptionKeyGone { path });
    }
    generate_file(&path)?;
    tracing::info!(path = %path.display(), "made a key-encryption key; keep a copy of it, but not beside backups of the database");
    Ok(path)
}

/// Where the key beside the data directory lies; nothing if that has no name.
pub(crate) fn own_key_path(data_dir: &Path) -> Option<PathBuf> {
    let mut name = data_dir.file_name()?.to_owned();
    name.push(SUFFIX);
    Some(data_dir.with_file_name(name))
}
