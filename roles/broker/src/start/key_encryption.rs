// SPDX-License-Identifier: Apache-2.0
//! The key-encryption keys: those configured, or with SQLite one that is made at the first start, beside the data directory, so that
//! a backup of the latter opens nothing.

use std::path::{Path, PathBuf};

use cress_keyring::{KeyEncryptionKeys, generate_file};
use cress_store::DatabaseUrl;

use super::StartError;
use crate::config::KeyEncryption;

/// What the data directory's name is followed by.
const SUFFIX: &str = ".kek";

/// Loads the keys; makes one if that is allowed. Blocks briefly on the disk.
pub(super) fn load(
    config: &KeyEncryption,
    data_dir: &Path,
    database: &DatabaseUrl,
) -> Result<KeyEncryptionKeys, StartError> {
    if !config.keys.is_empty() {
        let active = config.active.as_deref().map(str::parse).transpose()?;
        return Ok(KeyEncryptionKeys::load(&config.keys, active.as_ref())?);
    }
    let file = database.file().ok_or(StartError::KeyEncryptionKeyMissing)?;
    let path = own_key(data_dir, file)?;
    Ok(KeyEncryptionKeys::load(&[cress_keyring::KeyEncryptionKeySource::File(path)], None)?)
}

/// The key beside the data directory. A new one is made only for a new database: for an old one it would open nothing.
fn own_key(data_dir: &Path, database: &Path) -> Result<PathBuf, StartError> {
    let without_name = || StartError::DataDirWithoutName { path: data_dir.to_owned() };
    let mut name = data_dir.file_name().ok_or_else(without_name)?.to_owned();
    name.push(SUFFIX);
    let path = data_dir.with_file_name(name);
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
