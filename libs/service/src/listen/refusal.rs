// SPDX-License-Identifier: Apache-2.0
//! Answers to what never became a request, and closing so that the peer can read them.

use std::io;
use std::time::Duration;

use cress_api::{PROBLEM_JSON, Problem};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::problem::request_timeout;

/// How long a peer may take to read a refusal.
const LINGER: Duration = Duration::from_secs(2);

/// How much of what a refused peer still sends is read and thrown away.
const LINGER_BYTES_MAX: u64 = 1024 * 1024;

/// Refuses with a problem and closes.
pub(super) async fn refuse<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO, status: u16) {
    let answer = answer(&problem(status));
    if timeout(LINGER, io.write_all(&answer)).await.is_ok_and(|written| written.is_ok()) {
        close_gently(io).await;
    }
}

/// Closes in a way that lets the peer read what was written: while it still sends, closing at once would make the kernel reset the
/// connection, and the peer lose the answer.
pub(super) async fn close_gently<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO) {
    let closing = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await?;
        Ok::<(), io::Error>(())
    };
    // The peer is gone or too slow: either way the connection ends now.
    timeout(LINGER, closing).await.ok();
}

fn problem(status: u16) -> Problem {
    match status {
        408 => request_timeout(),
        414 => Problem::new(414, "uri-too-long", "URI Too Long").with_detail("the request's target is too long"),
        431 => Problem::new(431, "headers-too-large", "Request Header Fields Too Large")
            .with_detail("the request's headers are too many or too large"),
        _ => Problem::new(400, "malformed-request", "Bad Request").with_detail("expected an HTTP/1.1 request"),
    }
}

fn answer(problem: &Problem) -> Vec<u8> {
    let body = problem.to_json();
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        problem.status,
        problem.title,
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}
