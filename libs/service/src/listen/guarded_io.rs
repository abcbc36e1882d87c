// SPDX-License-Identifier: Apache-2.0
//! Between the HTTP library and the socket: notes progress, and keeps the library's own bare refusals back so that a problem can be sent in
//! their place.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::progress::{Progress, Stage};

#[derive(Debug)]
pub(super) struct GuardedIo<IO> {
    pub(super) inner: IO,
    progress: Arc<Progress>,
}

impl<IO> GuardedIo<IO> {
    pub(super) const fn new(inner: IO, progress: Arc<Progress>) -> Self {
        Self { inner, progress }
    }

    /// Before a whole head has come no handler can have answered, so what is written then is the library's refusal of that head.
    fn is_refusal(&self) -> bool {
        matches!(self.progress.stage(), Stage::Idle | Stage::Head)
    }

    fn note_refusal(&self, start: &[u8]) {
        let digits = start.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        if let Some(status) = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
            self.progress.refuse_with(status);
        }
    }

    fn note_write<T>(&self, written: Poll<T>) -> Poll<T> {
        self.progress.set_stalled(written.is_pending());
        written
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for GuardedIo<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before && self.progress.stage() == Stage::Idle {
            self.progress.enter(Stage::Head);
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for GuardedIo<IO> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_refusal() {
            self.note_refusal(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusal() {
            self.note_refusal(slices.first().map_or(&[], |slice| slice));
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if flushed.is_ready() && self.progress.stage() == Stage::Flushing {
            self.progress.enter(Stage::Idle);
        }
        flushed
    }

    /// The end is the server's to decide: it may still have something to say.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
