// SPDX-License-Identifier: Apache-2.0
//! As much of HTTP/1.1 as S3 clients speak to it: one request and one answer on each connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const HEAD_BYTES_MAX: u64 = 64 * 1024;
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// As it stands in the request line, without the query.
    pub(super) path: String,
    /// Pairs as they stand in the query, still encoded.
    pub(super) query: Vec<(String, String)>,
    /// By lower-case name; repeated ones are joined.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let found = self.query.iter().find(|(own, _)| percent_decoded(own).as_deref() == Some(name.as_bytes()));
        found.and_then(|(_, value)| String::from_utf8(percent_decoded(value)?).ok())
    }

    /// Reads one; none if it is not one.
    pub(super) fn read(stream: &TcpStream) -> io::Result<Option<Self>> {
        let mut reader = BufReader::new(stream.try_clone()?.take(HEAD_BYTES_MAX + BODY_BYTES_MAX as u64));
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            headers: read_headers(&mut reader)?,
            body: Vec::new(),
        };
        if request.header("expect") == Some("100-continue") {
            (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        request.body = vec![0; usize::min(length, BODY_BYTES_MAX)];
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<BTreeMap<String, String>> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(headers) };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        headers.entry(name).and_modify(|known| *known = format!("{known},{value}")).or_insert(value);
    }
}

impl Response {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into() }
    }

    /// S3's error document.
    pub(super) fn error(status: u16, code: &str) -> Self {
        let document = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>");
        Self::new(status, document)
    }

    pub(super) fn write(&self, stream: &mut TcpStream, method: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {} x\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nETag: \"0\"\r\nConnection: close\r\n\r\n",
            self.status,
            self.body.len()
        );
        stream.write_all(head.as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&self.body)?;
        }
        stream.flush()
    }
}

/// Bytes of a percent-encoded text; none if it is malformed.
pub(super) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(bytes)
}

/// S3's way: everything but letters, digits and `-._~` is encoded, and `/` where it is no separator.
pub(super) fn percent_encoded(bytes: &[u8], keep_slash: bool) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/');
    bytes.iter().fold(String::new(), |mut text, byte| {
        if kept(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
