// SPDX-License-Identifier: Apache-2.0
//! One connection from accept to close: hyper serves it, the clock bounds it, and what hyper would answer without a body
//! or not at all is answered with a problem.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::bare;
use super::backend::Backend;
use super::exchange::{Exchange, Phase};
use super::guard::Guard;
use super::limits::{HEAD_BYTES_MAX, LINGER_BYTES_MAX, LINGER_MAX};
use super::refusal::Refusal;
use super::server::Instance;
use super::service::Metadata;

/// Why a connection is over.
enum End {
    /// Hyper is done with it, well or not.
    Served(hyper::Result<()>),
    /// A phase took too long.
    Late(Phase),
}

/// Serves a connection until it ends.
pub(super) async fn serve<B: Backend>(instance: Arc<Instance<B>>, stream: TcpStream, shutdown: CancellationToken) {
    let exchange = Arc::new(Exchange::new(instance.started));
    let service = Metadata::new(Arc::clone(&instance), Arc::clone(&exchange));
    let io = TokioIo::new(Guard::new(stream, Arc::clone(&exchange)));
    let mut connection = settings().serve_connection(io, service);

    let end = drive(&mut connection, &instance, &exchange, shutdown).await;

    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_stream();
    if matches!(end, End::Late(Phase::Serving | Phase::Answering)) {
        return; // an answer may be half out; nothing can follow it
    }
    if let Some(refusal) = diagnose(&end, &parts.read_buf) {
        let written = timeout(instance.limits.write_time(), stream.write_all(&bare(&refusal))).await;
        instance.statistics.count(&Err(refusal));
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    if !exchange.has_input_ended() {
        linger(stream).await;
    }
}

/// How hyper is set up. Its read buffer never outgrows a head. A caller may close its side and still wait for the answer.
/// No `Date` is sent: the clock of a node may be wrong (RFC 9110 section 6.6.1).
fn settings() -> http1::Builder {
    let mut settings = http1::Builder::new();
    settings
        .max_buf_size(HEAD_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .header_read_timeout(None)
        .half_close(true)
        .auto_date_header(false);
    settings
}

/// Polls hyper, and after it the clock: a timer is set anew only when a phase's end has come nearer, or has been reached
/// and has meanwhile moved, so that a busy connection leaves it alone.
async fn drive<B: Backend>(
    connection: &mut http1::Connection<TokioIo<Guard>, Metadata<B>>,
    instance: &Instance<B>,
    exchange: &Exchange,
    shutdown: CancellationToken,
) -> End {
    let mut alarm = pin!(sleep_until(exchange.due(&instance.limits)));
    let mut shutdown = pin!(shutdown.cancelled_owned());
    let mut is_draining = false;
    std::future::poll_fn(|cx| {
        if !is_draining && shutdown.as_mut().poll(cx).is_ready() {
            is_draining = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(End::Served(result));
        }
        loop {
            let due = exchange.due(&instance.limits);
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(cx));
            if due <= Instant::now() {
                return Poll::Ready(End::Late(exchange.phase()));
            }
            alarm.as_mut().reset(due);
        }
    })
    .await
}

/// What to tell the caller, if anything. An idle connection is closed without a word, as a late word would look like the
/// answer to a request that is just being sent.
fn diagnose(end: &End, unparsed: &[u8]) -> Option<Refusal> {
    match end {
        End::Late(Phase::Head) => Some(Refusal::HeadTimeout),
        // Part of a head came in one piece with the request before it.
        End::Late(Phase::Idle) if !unparsed.is_empty() => Some(Refusal::HeadTimeout),
        End::Served(Err(error)) if error.is_parse_version_h2() => Some(Refusal::VersionNotSupported),
        End::Served(Err(error)) if error.is_parse_too_large() => Some(too_large(unparsed)),
        End::Served(Err(error)) if error.is_parse() => Some(malformed(unparsed)),
        End::Served(Err(error)) if error.is_incomplete_message() => Some(Refusal::Malformed),
        End::Served(_) | End::Late(_) => None,
    }
}

fn too_large(head: &[u8]) -> Refusal {
    if head.contains(&b'\n') { Refusal::HeadTooLarge } else { Refusal::TargetTooLong }
}

/// A request line (RFC 9112 section 3) that is fine but for its version gets an answer of its own.
fn malformed(head: &[u8]) -> Refusal {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if version.starts_with(b"HTTP/") && version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        Refusal::VersionNotSupported
    } else {
        Refusal::Malformed
    }
}

/// Tells a caller beyond the connection limit so.
pub(super) async fn refuse(mut stream: TcpStream) {
    if matches!(timeout(LINGER_MAX, stream.write_all(&bare(&Refusal::TooManyConnections))).await, Ok(Ok(()))) {
        linger(stream).await;
    }
}

/// Closes our side and waits a moment for the caller to close its own.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut buffer = [0; 1024];
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    let _closed_or_not = timeout(LINGER_MAX, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_head_is_told_apart_by_what_it_says() {
        for (head, refusal) in [
            ("GET / HTTP/2.0\r\n", Refusal::VersionNotSupported),
            ("GET / HTTP/1.2\r\n\r\n", Refusal::VersionNotSupported),
            ("GET / HTTP/1.1\r\nbad header\r\n", Refusal::Malformed),
            ("GET /\r\n", Refusal::Malformed),
            ("\u{16}\u{3}\u{1}", Refusal::Malformed),
            ("", Refusal::Malformed),
        ] {
            assert_eq!(malformed(head.as_bytes()), refusal, "{head:?}");
        }
        assert_eq!(too_large(b"GET /aaaa"), Refusal::TargetTooLong);
        assert_eq!(too_large(b"GET / HTTP/1.1\r\na: b"), Refusal::HeadTooLarge);
    }
}
