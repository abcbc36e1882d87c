// SPDX-License-Identifier: Apache-2.0
//! Files that are written only if they change, each whole or not at all, and readable by all: public keys are public.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use cress_service::data_dir::publish_atomically;
use cress_service::plain_words;

/// The files of one update. What is to be known before the first change, so that a crash cannot hide it, is in the marker.
pub(super) struct Disk<'a> {
    /// A file that stands for "the files have changed, and the reload command has not run since".
    marker: Option<&'a Path>,
    marked: bool,
    written: Vec<PathBuf>,
    removed: Vec<PathBuf>,
}

impl<'a> Disk<'a> {
    pub(super) const fn new(marker: Option<&'a Path>) -> Self {
        Self { marker, marked: false, written: Vec::new(), removed: Vec::new() }
    }

    /// What was written, and what was removed.
    pub(super) fn changes(self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        (self.written, self.removed)
    }

    /// Writes a file unless it has this content.
    pub(super) fn put(&mut self, path: &Path, content: &str) -> anyhow::Result<()> {
        if !self.put_aside(path, content)? {
            return Ok(());
        }
        self.written.push(path.to_owned());
        Ok(())
    }

    /// As [`Self::put`], for a file that is ours alone and no output. Whether it was written.
    pub(super) fn put_aside(&mut self, path: &Path, content: &str) -> anyhow::Result<bool> {
        check_replaceable(path)?;
        if holds(path, content) {
            return Ok(false);
        }
        self.mark();
        publish_atomically(path, content.as_bytes())?;
        Ok(true)
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&mut self, path: &Path) -> anyhow::Result<()> {
        self.mark();
        match std::fs::remove_file(path) {
            Ok(()) => self.removed.push(path.to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => anyhow::bail!("cannot remove {}: {}", path.display(), plain_words(&error)),
        }
        Ok(())
    }

    /// Without the marker a crash would lose the reload; that is no reason to leave keys as they are.
    fn mark(&mut self) {
        let Some(marker) = self.marker.filter(|marker| !self.marked && !marker.exists()) else { return };
        self.marked = true;
        if let Err(error) = publish_atomically(marker, b"") {
            tracing::warn!(error = error.to_string(), "if this process is killed now, the reload command will not run");
        }
    }
}

/// Whether the file has just this content.
pub(super) fn holds(path: &Path, content: &str) -> bool {
    let limit = u64::try_from(content.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut found = Vec::new();
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    let read = is_file && File::open(path).and_then(|file| file.take(limit).read_to_end(&mut found)).is_ok();
    read && found == content.as_bytes()
}

/// A device, a directory or a link in the place of a file is a slip: `/dev/stdout` must not become a file.
fn check_replaceable(path: &Path) -> anyhow::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) => ensure!(metadata.is_file(), "expected a file or nothing at {}", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => anyhow::bail!("cannot look at {}: {}", path.display(), plain_words(&error)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_written_and_it_is_marked_first() {
        let directory = tempfile::tempdir().unwrap();
        let (path, marker) = (directory.path().join("keys"), directory.path().join("marker"));
        for (content, changes) in [("a", 1), ("a", 0), ("ab", 1), ("a", 1)] {
            let mut disk = Disk::new(Some(&marker));
            disk.put(&path, content).unwrap();
            assert_eq!((disk.changes().0.len(), marker.exists()), (changes, changes == 1), "{content}");
            std::fs::remove_file(&marker).ok();
        }
        let mut disk = Disk::new(Some(&marker));
        disk.remove(&path).unwrap();
        disk.remove(&path).unwrap();
        assert_eq!(disk.changes(), (vec![], vec![path]));
        assert!(marker.exists());
    }

    #[test]
    fn only_files_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [directory.path(), Path::new("/dev/null"), &link] {
            let error = Disk::new(None).put(path, "x").unwrap_err().to_string();
            assert!(error.starts_with("expected a file or nothing at"), "{error}");
        }
        let error = Disk::new(None).put(&directory.path().join("none/keys"), "x").unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.ends_with("it does not exist"), "{error}");
    }
}
