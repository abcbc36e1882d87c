// SPDX-License-Identifier: Apache-2.0
//! A client that signs as S3 documents it, for tests in which time is made up: a real one knows only the real time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use cress_domain::Timestamp;

use super::http::{Request, percent_encoded};
use super::signature::{ALGORITHM, canonical, sha256_hex, signature};

/// Credentials and where to use them.
#[derive(Clone)]
pub struct S3Client {
    /// A port of 127.0.0.1.
    pub port: u16,
    /// Whose.
    pub access_key_id: String,
    /// What it signs with.
    pub secret_access_key: String,
    /// What goes with temporary credentials.
    pub session_token: Option<String>,
}

impl S3Client {
    /// Sends a signed request for this object, or for the bucket if the key is empty; the status of the answer.
    ///
    /// # Errors
    /// [`io::Error`]: there was no answer.
    pub fn send(&self, now: Timestamp, method: &str, bucket: &str, key: &str, body: &[u8]) -> io::Result<u16> {
        self.send_with(now, method, bucket, key, &[], body)
    }

    /// The status of a listing under this prefix.
    ///
    /// # Errors
    /// [`io::Error`]: there was no answer.
    pub fn list(&self, now: Timestamp, bucket: &str, prefix: &str) -> io::Result<u16> {
        let query = [("list-type", "2"), ("prefix", prefix)];
        self.send_with(now, "GET", bucket, "", &query, b"")
    }

    fn send_with(
        &self,
        now: Timestamp,
        method: &str,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<u16> {
        let encoded = |text: &str| percent_encoded(text.as_bytes(), false);
        let moment: String = now.rfc3339().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
        let scope = format!("{}/auto/s3/aws4_request", moment.get(..8).unwrap_or_default());
        let mut request = Request {
            method: method.to_owned(),
            path: format!("/{bucket}/{}", percent_encoded(key.as_bytes(), true)),
            query: query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect(),
            headers: BTreeMap::from([
                ("host".to_owned(), format!("127.0.0.1:{}", self.port)),
                ("x-amz-content-sha256".to_owned(), sha256_hex(body)),
                ("x-amz-date".to_owned(), moment.clone()),
            ]),
            body: body.to_vec(),
        };
        if let Some(token) = &self.session_token {
            request.headers.insert("x-amz-security-token".to_owned(), token.clone());
        }
        let names: Vec<String> = request.headers.keys().cloned().collect();
        let canonical = canonical(&request, &names, &sha256_hex(body));
        let signature = signature(&self.secret_access_key, &moment, &scope, &canonical);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            names.join(";")
        );
        request.headers.insert("authorization".to_owned(), authorization);
        exchange(self.port, &request)
    }
}

fn exchange(port: u16, request: &Request) -> io::Result<u16> {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{} {}{mark}{} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n",
        request.method,
        request.path,
        query.join("&"),
        request.body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(&request.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = std::str::from_utf8(answer.get(9..12).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
    status.ok_or_else(|| io::Error::other("expected an answer of HTTP/1.1"))
}
