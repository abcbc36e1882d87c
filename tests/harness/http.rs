// SPDX-License-Identifier: Apache-2.0
//! A plain HTTP client for tests, over one connection a request.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header lines as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// `GET` with these header lines.
///
/// # Errors
/// The connection's.
pub fn get(url: &str, headers: &[&str]) -> io::Result<Answer> {
    send("GET", url, headers, "")
}

/// The token that an instance's metadata service hands out.
///
/// # Panics
/// If it hands out none.
#[must_use]
pub fn get_token(imds: &str) -> String {
    let answer = get(&format!("{imds}/v1/token"), &["Metadata: true"]).expect("a metadata service");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["jwt"].as_str().expect("a token").to_owned()
}

/// Any request.
///
/// # Errors
/// The connection's.
pub fn send(method: &str, url: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length =
        if body.is_empty() && method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    stream.write_all(
        format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\n{lines}{length}Connection: close\r\n\r\n{body}")
            .as_bytes(),
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    parse(&text).ok_or_else(|| io::Error::other(format!("expected an HTTP answer, got {text:?}")))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body =
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") { unchunk(body)? } else { body.to_owned() };
    Some(Answer { status, head: head.to_owned(), body })
}

fn unchunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size + 2..)?;
    }
}
