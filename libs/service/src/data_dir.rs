// SPDX-License-Identifier: Apache-2.0
//! The directory that a role keeps its state in: its owner's alone, and one process's at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cress_domain::fault;

use crate::plain_words;

const LOCK_FILE: &str = "lock";

/// Why a data directory, or a file in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// It cannot be made.
    #[error("cannot create the data directory {}: {reason}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
    /// Nothing can be written into it.
    #[error("cannot write to the data directory {}: {reason}", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
    /// Another process holds it.
    #[error("another cress already uses {}; stop it or choose another --data-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
}

/// A data directory, locked until this value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is not there (mode 0700), checks that it can be written to, and locks it. Blocks briefly on the
    /// disk; meant for the start of a process.
    ///
    /// # Errors
    /// [`DataDirError`], each of which is one sentence for the operator.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        create(path)?;
        let not_writable =
            |error: io::Error| DataDirError::NotWritable { path: path.to_owned(), reason: plain_words(&error) };
        let path = path.canonicalize().map_err(not_writable)?;
        let mut lock = owner_only().create(true).truncate(false).open(path.join(LOCK_FILE)).map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse { path }),
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        // The process id is for people; writing it also finds a full disk before anything depends on it.
        let process_id = std::process::id().to_string();
        lock.set_len(0).and_then(|()| lock.write_all(process_id.as_bytes())).map_err(not_writable)?;
        warn_if_shared(&path);
        Ok(Self { path, _lock: lock })
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in it: see [`write_atomically`].
    ///
    /// # Errors
    /// [`DataDirError::Write`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), DataDirError> {
        write_atomically(&self.file(name), content)
    }
}

/// Replaces a file so that whoever reads it, also after a crash, sees the whole old or the whole new content. Only its owner may
/// read it (mode 0600). Blocks on the disk.
///
/// # Errors
/// [`DataDirError::Write`]; the old file is then untouched.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    replace(path, content, |_| Ok(()))
}

/// As [`write_atomically`], for what is public: everyone may read it (mode 0644), whatever the process's mask says.
///
/// # Errors
/// [`DataDirError::Write`]; the old file is then untouched.
pub fn publish_atomically(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    replace(path, content, readable_by_all)
}

fn replace(path: &Path, content: &[u8], prepare: fn(&File) -> io::Result<()>) -> Result<(), DataDirError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_and_rename(&temporary, path, content, prepare);
    if written.is_err() {
        // The write's own error is what counts; a leftover file harms nobody.
        std::fs::remove_file(&temporary).ok();
    }
    written.map_err(|error| DataDirError::Write { path: path.to_owned(), reason: plain_words(&error) })
}

fn write_and_rename(
    temporary: &Path,
    path: &Path,
    content: &[u8],
    prepare: fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = owner_only().create(true).truncate(true).open(temporary)?;
    file.write_all(content)?;
    prepare(&file)?;
    file.sync_all()?;
    fault::point("before a file is replaced");
    std::fs::rename(temporary, path)?;
    fault::point("after a file is replaced");
    sync_parent(path)
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Without it the rename itself may be lost in a crash.
#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create(path: &Path) -> Result<(), DataDirError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AlreadyExists => "a file of that name is in the way".to_owned(),
            _ => plain_words(&error),
        };
        DataDirError::Create { path: path.to_owned(), reason }
    })
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(path = %path.display(), mode, "other users may enter the data directory; chmod 700 it");
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
    }

    #[test]
    fn belongs_to_one_process_and_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/data");
        let held = DataDir::open(&path).unwrap();
        #[cfg(unix)]
        assert_eq!(mode(held.path()), 0o700);
        let message = DataDir::open(&path).unwrap_err().to_string();
        assert!(message.starts_with("another cress already uses") && message.ends_with("choose another --data-dir"));
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn what_cannot_be_a_data_directory_has_a_sentence() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        let message = |path: &Path| DataDir::open(path).unwrap_err().to_string();
        assert!(message(&file).ends_with("a file of that name is in the way"), "{}", message(&file));
        assert!(message(&file.join("below")).contains("cannot create the data directory"));
        #[cfg(target_os = "linux")]
        assert!(message(Path::new("/proc/cress")).contains("/proc/cress: "));
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDir::open(parent.path()).unwrap();
        directory.write("state", b"old").unwrap();
        directory.write("state", b"new").unwrap();
        let path = directory.file("state");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        #[cfg(unix)]
        assert_eq!(mode(&path), 0o600);

        publish_atomically(&path, b"public").unwrap();
        #[cfg(unix)]
        assert_eq!(mode(&path), 0o644);

        std::fs::create_dir(directory.file("taken")).unwrap();
        assert!(directory.write("taken", b"x").unwrap_err().to_string().contains("taken"));
        let mut left: Vec<_> =
            std::fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "state", "taken"]);
    }
}
