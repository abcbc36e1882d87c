// SPDX-License-Identifier: Apache-2.0
//! An HTTP/1 answer as it came.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

use serde_json::Value;

/// Most bytes of a body that are read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a line of the head.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether answers to this request come without the body that their head describes.
    #[must_use]
    pub fn is_without_body(request: &[u8]) -> bool {
        request.starts_with(b"HEAD ")
    }

    /// Reads one answer, and not a byte of what follows it on the connection is needed by the caller.
    ///
    /// # Errors
    /// The connection ended early, or what came is no answer.
    pub fn read(stream: &mut TcpStream, is_without_body: bool) -> io::Result<Self> {
        Self::read_next(&mut BufReader::new(stream), is_without_body)
    }

    /// Reads the next answer of a connection.
    ///
    /// # Errors
    /// The connection ended early, or what came is no answer.
    pub fn read_next(reader: &mut impl BufRead, is_without_body: bool) -> io::Result<Self> {
        let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let first = line(reader)?;
        let mut words = first.splitn(3, ' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| malformed(&first))?;
        let mut headers = Vec::new();
        loop {
            let text = line(reader)?;
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(':').ok_or_else(|| malformed(&text))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Self { version, status, headers, body: Vec::new() };
        let length: usize = match answer.header("content-length") {
            Some(length) if !is_without_body => length.parse().map_err(|_| malformed("content-length"))?,
            _ => 0,
        };
        answer.body = vec![0; length.min(BODY_BYTES_MAX)];
        reader.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    /// The only header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        self.json().get("code").and_then(Value::as_str).map(str::to_owned)
    }

    /// What no answer of a metadata service may look like: kept by caches, sending elsewhere, readable by a web page,
    /// naming its software, or an error that is no problem (RFC 9457).
    #[must_use]
    pub fn faults(&self, is_without_body: bool) -> Vec<&'static str> {
        let json = self.json();
        let is_error = self.status >= 400;
        let media_type = self.header("content-type");
        let has = |name: &str| self.headers.iter().any(|(header, _)| header == name);
        [
            (!matches!(self.version.as_str(), "HTTP/1.1" | "HTTP/1.0"), "no HTTP/1 answer"),
            (self.header("cache-control") != Some("no-store"), "no Cache-Control: no-store"),
            (has("location") || (300..400).contains(&self.status), "a redirect"),
            (self.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "a CORS header"),
            (has("server"), "a Server header"),
            (has("set-cookie"), "a cookie"),
            (is_error && media_type != Some("application/problem+json"), "an error that is no problem+json"),
            (
                is_error && !is_without_body && json.get("status").and_then(Value::as_u64) != Some(self.status.into()),
                "a problem without the answer's status",
            ),
            (is_error && !is_without_body && json.get("title").is_none(), "a problem without a title"),
            (is_error && !is_without_body && !has_good_code(&json), "a problem without a short kebab-case code"),
            (is_without_body && !self.body.is_empty(), "a body in an answer to HEAD"),
            (self.status == 405 && self.header("allow").is_none(), "405 without Allow"),
            (matches!(self.status, 429 | 503) && self.header("retry-after").is_none(), "no Retry-After"),
            (self.status == 200 && media_type != Some("application/json"), "an answer that is not application/json"),
        ]
        .into_iter()
        .filter_map(|(is_fault, what)| is_fault.then_some(what))
        .collect()
    }
}

fn has_good_code(problem: &Value) -> bool {
    problem.get("code").and_then(Value::as_str).is_some_and(|code| {
        (1..=100).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("expected a line of an answer, got {:?}", String::from_utf8_lossy(&bytes)),
        )),
    }
}

impl fmt::Display for Answer {
    /// The status and, of an error alone, the body: another one may hold a token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.status, self.headers)?;
        if self.status >= 400 { write!(formatter, " {}", String::from_utf8_lossy(&self.body)) } else { Ok(()) }
    }
}
