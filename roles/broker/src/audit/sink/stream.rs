// SPDX-License-Identifier: Apache-2.0
//! Standard output: as durable as whoever reads it makes it. A batch that was written in part goes on where it stopped.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use cress_service::plain_words;

use super::SinkError;
use super::thread::BlockingSink;
use crate::audit::chain::Line;

/// A stream that is written to without a buffer of ours, so that it is known how far a write came.
#[derive(Debug)]
pub(super) struct StreamSink<W> {
    stream: W,
    /// Of the batch at hand.
    written: usize,
}

impl StreamSink<File> {
    pub(super) fn stdout() -> Result<Self, SinkError> {
        let stream = io::stdout().as_fd().try_clone_to_owned().map_err(|error| SinkError(plain_words(&error)))?;
        Ok(Self::new(File::from(stream)))
    }
}

impl<W: Write> StreamSink<W> {
    const fn new(stream: W) -> Self {
        Self { stream, written: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        while let Some(rest) = bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written = self.written.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.flush()?;
        self.written = 0;
        Ok(())
    }
}

impl<W: Write + Send + 'static> BlockingSink for StreamSink<W> {
    fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError> {
        self.write(&text(lines)).map_err(|error| SinkError(plain_words(&error)))
    }
}

/// Lines as they stand in a file.
pub(super) fn text(lines: &[Line]) -> Vec<u8> {
    let length = lines.iter().map(|line| line.text.len().saturating_add(1)).sum();
    let mut text = Vec::with_capacity(length);
    for line in lines {
        text.extend_from_slice(line.text.as_bytes());
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and fails after each.
    #[derive(Default)]
    struct Reluctant {
        taken: Vec<u8>,
        fails: bool,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.fails = !self.fails;
            if !self.fails {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_batch_goes_on_where_it_stopped() {
        let mut sink = StreamSink::new(Reluctant::default());
        let text = b"the first line\nthe second line\n";
        let mut failures = 0;
        for _ in 0..2 {
            while sink.write(text).is_err() {
                failures += 1;
            }
        }
        assert!(failures > 10, "{failures}");
        assert_eq!(sink.stream.taken, [&text[..], &text[..]].concat());
    }
}
