// SPDX-License-Identifier: Apache-2.0
//! The stream as hyper sees it. It notes when bytes come and when an answer is out, and it lets out nothing but the
//! service's answers: to a request that cannot be parsed hyper writes an answer of its own, without a body, and the driver
//! of the connection writes a problem in its place.
//!
//! That works because hyper parses no head before the answer to the last one is out: each answer to a request whose body
//! was not read to its end closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::exchange::{Exchange, Phase};

/// See the module.
#[derive(Debug)]
pub(super) struct Guard {
    stream: TcpStream,
    exchange: Arc<Exchange>,
    has_written: bool,
}

impl Guard {
    pub(super) const fn new(stream: TcpStream, exchange: Arc<Exchange>) -> Self {
        Self { stream, exchange, has_written: false }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Whether the service has not been asked, so that what is written is not its answer. While it serves, hyper may write
    /// `100 Continue`, which is let out.
    fn is_not_from_the_service(&self) -> bool {
        matches!(self.exchange.phase(), Phase::Idle | Phase::Head)
    }
}

impl AsyncRead for Guard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.exchange.bytes_came();
        } else {
            self.exchange.input_ended();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_not_from_the_service() {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.has_written = true;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_not_from_the_service() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        self.has_written = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes when it has handed over all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_written && self.exchange.phase() == Phase::Answering {
            self.has_written = false;
            self.exchange.answer_is_out();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
