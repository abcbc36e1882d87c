// SPDX-License-Identifier: Apache-2.0
//! The supervisor's end of the conversation with the agent: bounded lines in, lines out.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::unistd::read;

use crate::protocol::{Event, REQUEST_BYTES_MAX, Request, line};

/// What a buffer may keep when it is empty.
const IDLE_BYTES_MAX: usize = 256 << 10;

/// Requests, as they come in.
#[derive(Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    /// So many of them are known to hold no line's end.
    searched: usize,
}

impl Requests {
    /// Reads what is there, at most one buffer. 0 is the end.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = read(io::stdin(), buffer)?;
        self.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }

    /// The next whole request.
    ///
    /// # Errors
    /// A line that is no request, or too long; nothing after it can be trusted.
    pub(super) fn next(&mut self) -> Option<io::Result<Request>> {
        let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return (self.searched > REQUEST_BYTES_MAX)
                .then(|| Err(io::Error::other(format!("got a line of more than {REQUEST_BYTES_MAX} bytes"))));
        };
        let line: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
        self.searched = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        }
        Some(serde_json::from_slice(&line).map_err(io::Error::from))
    }
}

/// Events, as they go out.
pub(super) struct Events {
    agent: File,
    bytes: Vec<u8>,
}

impl Events {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { agent: File::from(io::stdout().as_fd().try_clone_to_owned()?), bytes: Vec::new() })
    }

    pub(super) fn push(&mut self, event: &Event) {
        match line(event) {
            Ok(mut line) => self.bytes.append(&mut line),
            Err(error) => super::report(&format!("cannot write an event: {error}")),
        }
    }

    /// Writes everything; false if nobody reads it any more. An agent that does not read holds the supervisor up, which
    /// is what keeps the queue short. The agent never waits for its own writing before it reads.
    pub(super) fn flush(&mut self) -> bool {
        let is_read = self.bytes.is_empty() || self.agent.write_all(&self.bytes).is_ok();
        self.bytes.clear();
        self.bytes.shrink_to(IDLE_BYTES_MAX);
        is_read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(bytes: &[u8]) -> Requests {
        Requests { bytes: bytes.to_vec(), searched: 0 }
    }

    #[test]
    fn requests_are_taken_line_by_line() {
        let stop = br#"{"stop":{"request":1,"instance":"2c3573b6-88de-4067-821f-1af088bd9c6a","grace_ms":5}}"#;
        let mut requests = requests(&[stop, &b"\n"[..], stop, b"\n", &stop[..20]].concat());
        assert!(matches!(requests.next(), Some(Ok(Request::Stop { grace_ms: 5, .. }))));
        assert!(matches!(requests.next(), Some(Ok(Request::Stop { .. }))));
        assert!(requests.next().is_none());
        requests.bytes.extend_from_slice(&stop[20..]);
        assert!(requests.next().is_none());
        requests.bytes.push(b'\n');
        assert!(matches!(requests.next(), Some(Ok(Request::Stop { .. }))));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(matches!(requests(b"{}\n").next(), Some(Err(_))));
        assert!(matches!(requests(b"{\"stop\":{\"request\":1}}\n").next(), Some(Err(_))));
        assert!(matches!(requests(&vec![b'a'; REQUEST_BYTES_MAX + 1]).next(), Some(Err(_))));
        assert!(requests(&vec![b'a'; REQUEST_BYTES_MAX]).next().is_none());
    }
}
