// SPDX-License-Identifier: Apache-2.0
//! One HTTP/1.1 connection that is kept, for `GET` with the metadata header; made anew when it is over.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any pause that a node is put through.
const TIMEOUT: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A connection to one server.
pub(super) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

/// An answer's status and body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Connection {
    pub(super) const fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// One call. A kept connection that the server has closed meanwhile is no failure of its, so it is tried once more.
    pub(super) fn call(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        let was_kept = self.stream.is_some();
        match self.exchange(method, path) {
            Err(error) if was_kept && is_over(&error) => self.exchange(method, path),
            outcome => outcome,
        }
    }

    fn exchange(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let host = self.address;
        let length = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nMetadata: true\r\n{length}\r\n");
        stream.write_all(head.as_bytes())?;
        let (answer, keep) = read(&mut stream)?;
        self.stream = keep.then_some(stream);
        Ok(answer)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }
}

fn is_over(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// An answer, and whether another may follow.
fn read(stream: &mut TcpStream) -> io::Result<(Answer, bool)> {
    let mut bytes = Vec::with_capacity(2_048);
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(whole) = parse(&bytes) {
            return Ok(whole);
        }
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer has no end"));
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Answer, bool)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let value = |name: &str| {
        lines.clone().find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)))
    };
    let length: usize = value("content-length").map_or(Some(0), |(_, length)| length.trim().parse().ok())?;
    let keep = value("connection").is_none_or(|(_, value)| !value.trim().eq_ignore_ascii_case("close"));
    let body = body.get(..length)?;
    Some((Answer { status, body: body.to_owned() }, keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let (answer, keep) = parse(text).unwrap();
        assert_eq!((answer.status, answer.body.as_str(), keep), (200, "abc", true));
        assert!(parse(&text[..text.len() - 1]).is_none());
        let (_, keep) = parse(b"HTTP/1.1 503 No\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert!(!keep);
    }
}
