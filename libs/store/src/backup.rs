// SPDX-License-Identifier: Apache-2.0
//! A copy of a database in one file, made while others read and write it. The copy is checked before it gets its name, and never
//! replaces anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{Database, DatabaseOptions, DatabaseUrl, Inspection, ModuleVersion, StoreError};

/// What the name of a copy ends in until it is whole and checked.
const UNFINISHED: &str = ".unfinished";

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// How far its tables are.
    pub versions: Vec<ModuleVersion>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database or its copy cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not a file.
    #[error("expected a SQLite database, got {0}; copy that with its own tool: pg_dump --format=custom --file=FILE")]
    NotAFile(DatabaseUrl),
    /// A file of that name is there.
    #[error("{} exists; a backup replaces nothing: choose another name, or remove it first", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write the backup {}: {reason}", path.display())]
    Write {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The copy is not whole.
    #[error("the copy is damaged ({}), so it was removed; the database may be damaged too: cress doctor tells", .0.join("; "))]
    Damaged(Vec<String>),
}

impl Backup {
    /// Copies the SQLite database at `url` into the file `to`, which only its owner may read (mode 0600). Others, control among them, may read and
    /// write the database meanwhile: the copy is one consistent state of it. It is read again and checked before it gets its name.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no file `to`.
    pub async fn make(url: &DatabaseUrl, to: &Path) -> Result<Self, BackupError> {
        if url.file().is_none() {
            return Err(BackupError::NotAFile(url.clone()));
        }
        let write = |reason| BackupError::Write { path: to.to_owned(), reason };
        if to.try_exists().map_err(write)? {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let mut name = to.file_name().ok_or_else(|| write(ErrorKind::InvalidFilename.into()))?.to_owned();
        name.push(format!(".{}{UNFINISHED}", std::process::id()));
        let unfinished = to.with_file_name(name);
        let made = Self::make_as(url, &unfinished, to).await;
        // Whether it worked or not: the finished copy has another name.
        fs::remove_file(&unfinished).ok();
        made
    }

    async fn make_as(url: &DatabaseUrl, unfinished: &Path, to: &Path) -> Result<Self, BackupError> {
        let write = |reason| BackupError::Write { path: to.to_owned(), reason };
        create_for_owner(unfinished).map_err(write)?;
        let database = Database::open_to_read(url, DatabaseOptions::default()).await?;
        let copied = database.copy_into(unfinished).await;
        database.close().await;
        copied?;
        let versions = check(unfinished).await?;
        let bytes = keep(unfinished, to).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => write(error),
        })?;
        Ok(Self { path: to.to_owned(), bytes, versions })
    }
}

/// The copy is whole, is one of cress, and its keys can be listed.
async fn check(copy: &Path) -> Result<Vec<ModuleVersion>, BackupError> {
    let inspection = Inspection::open(&DatabaseUrl::sqlite(copy), DatabaseOptions::default()).await?;
    let outcome = async { Ok::<_, StoreError>((inspection.damage().await?, inspection.versions().await?)) }.await;
    inspection.close().await;
    let (damage, versions) = outcome?;
    if damage.is_empty() { Ok(versions) } else { Err(BackupError::Damaged(damage)) }
}

/// Empty, since SQLite would make it readable by others.
fn create_for_owner(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Gives the copy its name once it is on the disk. A link, unlike a renaming, never replaces anything.
fn keep(unfinished: &Path, to: &Path) -> io::Result<u64> {
    let file = File::open(unfinished)?;
    file.sync_all()?;
    fs::hard_link(unfinished, to)?;
    sync_parent(to)?;
    Ok(file.metadata()?.len())
}

#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}
