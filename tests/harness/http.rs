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
    send_target(host, method, &format!("/{path}"), headers, body)
}

/// Any request, with whatever stands for its target.
///
/// # Errors
/// The connection's.
pub fn send_target(address: &str, method: &str, target: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length =
        if body.is_empty() && method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{lines}{length}Connection: close\r\n\r\n");
    send_bytes(address, format!("{head}{body}").as_bytes())
}

/// These bytes.
///
/// # Errors
/// The connection's.
pub fn send_bytes(address: &str, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let _refused_early = stream.write_all(request);
    let bytes = read(&mut stream)?;
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).ok_or_else(|| io::Error::other(format!("expected an HTTP answer, got {text:?}")))
}

/// Until the answer is complete: some servers wait before they close a connection.
fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while !is_complete(&bytes) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            // Whoever refuses a request that is too long may reset the connection after the answer.
            Err(_) if !bytes.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body = bytes.len() - bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0) - 4;
    length.and_then(|length| length.trim().parse::<usize>().ok()).is_some_and(|length| body >= length)
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
