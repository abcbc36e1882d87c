// SPDX-License-Identifier: Apache-2.0
//! A file as a sink: appended to, on the disk before it is answered for, and locked against a second writer.
//!
//! Before each batch it is looked whether the file still has its name. If it was renamed, as logrotate does, or deleted, it is made
//! anew, and the chain goes on in the new one. What a failed write left is cut off before the same lines are written again, and so is
//! the line that a killed process had not finished: nobody was told that it was durable.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cress_domain::fault;
use cress_service::plain_words;

use super::SinkError;
use super::stream::text;
use super::thread::BlockingSink;
use crate::audit::chain::{Head, Line};
use crate::audit::verify::LINE_BYTES_MAX;

/// Readable for the broker's user alone: records say who may have what.
const MODE: u32 = 0o600;
/// What every line begins with.
const OPENING: &[u8] = br#"{"chain":""#;

/// A file.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    open: Open,
}

/// The file as it is open.
#[derive(Debug)]
struct Open {
    file: File,
    device: u64,
    inode: u64,
    /// Up to here everything is durable.
    durable: u64,
    /// A write has failed: what lies behind may be a part of it.
    is_torn: bool,
}

impl FileSink {
    /// Opens the file, or makes it, in a directory that must exist. Says where the chain in it has ended.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Head>), Failure> {
        let (open, head) = open(path)?;
        Ok((Self { path: path.to_owned(), open }, head))
    }

    fn write(&mut self, lines: &[Line]) -> Result<(), Failure> {
        self.follow_name()?;
        self.open.mend()?;
        self.open.append(&text(lines))
    }

    /// Takes a new file if the one that is open has lost its name.
    fn follow_name(&mut self) -> Result<(), Failure> {
        let is_ours = match std::fs::metadata(&self.path) {
            Ok(named) => (named.dev(), named.ino()) == (self.open.device, self.open.inode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error.into()),
        };
        if !is_ours {
            // What a failed write left in the former file would stand in the way of whoever verifies it.
            self.open.mend()?;
            self.open = open(&self.path)?.0;
            tracing::info!(file = %self.path.display(), "audit records go on in a new file");
        }
        Ok(())
    }
}

impl BlockingSink for FileSink {
    fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError> {
        self.write(lines).map_err(|error| SinkError(error.in_words()))
    }
}

impl Open {
    /// Cuts off what a failed write left. What others did to the file meanwhile is left as it is.
    fn mend(&mut self) -> Result<(), Failure> {
        let length = self.file.metadata()?.len();
        if self.is_torn && length > self.durable {
            self.file.set_len(self.durable)?;
            self.file.sync_data()?;
        } else if length != self.durable {
            tracing::warn!(expected = self.durable, length, "someone else has changed the file of audit records");
            self.durable = length;
        }
        self.is_torn = false;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // Until it is known to be whole.
        self.is_torn = true;
        fault::point("before audit records are written");
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        fault::point("after audit records are written");
        self.durable = self.durable.saturating_add(bytes.len() as u64);
        self.is_torn = false;
        Ok(())
    }
}

fn open(path: &Path) -> Result<(Open, Option<Head>), Failure> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Failure::NoFile);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Failure::Locked),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    sync_name(path)?;
    let (durable, last) = last_line(&mut file, &metadata)?;
    let head = last.map(|line| crate::audit::verify::head(&line).ok_or(Failure::NoRecords)).transpose()?;
    if durable < metadata.len() {
        let bytes = metadata.len().saturating_sub(durable);
        tracing::warn!(file = %path.display(), bytes, "cut off a line that an earlier process had not finished");
        file.set_len(durable)?;
        file.sync_data()?;
    }
    let open = Open { file, device: metadata.dev(), inode: metadata.ino(), durable, is_torn: false };
    Ok((open, head))
}

/// A file that was just made has its name only when its directory is on the disk.
fn sync_name(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Where the last whole line ends, and the line itself without its newline.
fn last_line(file: &mut File, metadata: &Metadata) -> Result<(u64, Option<Vec<u8>>), Failure> {
    // Two lines: one that is whole, one that is not.
    const TAIL_BYTES: u64 = 2 * LINE_BYTES_MAX as u64;
    let start = metadata.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    let (whole, unfinished) = match end {
        Some(end) => (tail.get(..end), tail.get(end.saturating_add(1)..).unwrap_or_default()),
        None => (None, tail.as_slice()),
    };
    // Nothing is cut off, or added to, what is not ours.
    let length = OPENING.len().min(unfinished.len());
    if unfinished.get(..length) != OPENING.get(..length) || (end.is_none() && start > 0) {
        return Err(Failure::NoRecords);
    }
    let durable = metadata.len().saturating_sub(unfinished.len() as u64);
    let last = whole.map(|whole| whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_vec());
    Ok((durable, last))
}

/// Why it cannot be done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The operating system's.
    System(io::Error),
    /// It is no regular file.
    NoFile,
    /// It has something else in it.
    NoRecords,
    /// Another process writes to it, or is about to end.
    Locked,
}

impl Failure {
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::System(error) => plain_words(error),
            Self::NoFile => "expected a regular file; use stdout for pipes and devices".to_owned(),
            Self::NoRecords => {
                "expected a file of audit records, or none, got something else there; move it away".to_owned()
            }
            Self::Locked => "another process writes audit records to it; give each its own file".to_owned(),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
