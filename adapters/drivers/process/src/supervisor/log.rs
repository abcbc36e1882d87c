// SPDX-License-Identifier: Apache-2.0
//! An instance's output: from its pipe to its log file, which is bounded.
//!
//! The file is opened for each piece, so that hundreds of instances hold no file open, and a file that was moved away or
//! removed is made again. What cannot be written is lost: a full disk must not stop an instance.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::O_NOFOLLOW;

/// The smallest bound on the two files together.
const BYTES_MAX_MIN: u64 = 8 << 10;
/// What a pipe can hold by default; its capacity can be raised to this as a rule (pipe-max-size in proc_sys_fs(5)).
const PIPE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Log {
    source: Option<PipeReader>,
    path: PathBuf,
    /// At this size the file becomes the old one.
    file_bytes_max: u64,
    is_warned: bool,
}

impl Log {
    /// A log, and the end that the instance writes to.
    pub(super) fn new(path: PathBuf, bytes_max: u64) -> io::Result<(Self, PipeWriter)> {
        let (source, sink) = io::pipe()?;
        // The instance's own end keeps blocking: it waits when it writes faster than we do.
        fcntl(&source, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let file_bytes_max = bytes_max.max(BYTES_MAX_MIN) / 2;
        Ok((Self { source: Some(source), path, file_bytes_max, is_warned: false }, sink))
    }

    /// Where output can be waited for; none when the instance has closed it.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(AsFd::as_fd)
    }

    /// Copies what is there, at most a buffer of it. Returns the first failure in words, and no other.
    pub(super) fn copy(&mut self, buffer: &mut [u8]) -> Option<String> {
        let length = buffer.len().min(usize::try_from(self.file_bytes_max).unwrap_or(usize::MAX));
        let piece = buffer.get_mut(..length)?;
        match self.source.as_mut()?.read(piece) {
            Ok(0) => self.source = None,
            Ok(length) => {
                let written = self.append(piece.get(..length).unwrap_or_default());
                return written.err().and_then(|error| self.warning(&error));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                self.source = None;
                return self.warning(&error);
            }
        }
        None
    }

    /// Copies what is left when all processes have ended.
    pub(super) fn finish(&mut self) -> Option<String> {
        let mut buffer = vec![0; PIPE_BYTES_MAX.min(super::CHUNK_BYTES)];
        let pieces_max = (PIPE_BYTES_MAX as u64).div_ceil(self.file_bytes_max.min(buffer.len() as u64)) + 1;
        let mut warning = None;
        for _ in 0..pieces_max {
            warning = warning.or(self.copy(&mut buffer));
        }
        warning
    }

    fn warning(&mut self, error: &io::Error) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.is_warned, true);
        is_first.then(|| format!("output is lost, as {} cannot be written: {error}", self.path.display()))
    }

    fn append(&self, piece: &[u8]) -> io::Result<()> {
        let mut file = open(&self.path)?;
        let length = file.metadata()?.len();
        if length > 0 && length + piece.len() as u64 > self.file_bytes_max {
            fs::rename(&self.path, old_path(&self.path))?;
            file = open(&self.path)?;
        }
        file.write_all(piece)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW).open(path)
}

fn old_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn two_files_never_take_more_than_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let (mut log, mut sink) = Log::new(path.clone(), 10_000).unwrap();
        let mut buffer = vec![0; 64 << 10];
        for number in 0..200_u32 {
            sink.write_all(format!("{number:0>999}\n").as_bytes()).unwrap();
            assert_eq!(log.copy(&mut buffer), None);
            let sizes = [&path, &old_path(&path)].map(|path| fs::metadata(path).map_or(0, |file| file.len()));
            assert!(sizes.iter().sum::<u64>() <= 10_000, "{sizes:?}");
        }
        drop(sink);
        assert_eq!(log.finish(), None);
        assert!(log.source().is_none());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!("{:0>999}\n", 199)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_written_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &path).unwrap();
        let (mut log, mut sink) = Log::new(path, 0).unwrap();
        let mut buffer = vec![0; 16];
        sink.write_all(&[b'a'; 32]).unwrap();
        assert!(log.copy(&mut buffer).unwrap().contains("output is lost"));
        assert_eq!(log.copy(&mut buffer), None);
        assert!(!directory.path().join("elsewhere").exists());
    }
}
