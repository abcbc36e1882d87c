// SPDX-License-Identifier: Apache-2.0
//! Bodies: a request's, limited in size and time; an answer's, watched for its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Limits;
use super::progress::{Progress, Stage};

/// Why a request's body cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the body has more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It takes longer than allowed.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
}

/// A request's body within the listener's limits.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    bytes_max: usize,
    bytes_left: usize,
    timeout: Duration,
    /// Made when the first byte has to be waited for: most bodies come with their head.
    timer: Option<Pin<Box<Sleep>>>,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, limits: &Limits, progress: Arc<Progress>) -> Self {
        let bytes_max = limits.body_bytes_max();
        Self { inner, bytes_max, bytes_left: bytes_max, timeout: limits.body_timeout(), timer: None, progress }
    }

    /// Whether its declared length is over the limit, so that nothing of it need be read.
    pub(super) fn is_too_large(&self) -> bool {
        self.inner.size_hint().lower() > self.bytes_max as u64
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        self.timer.get_or_insert_with(|| Box::pin(sleep(timeout))).as_mut().poll(context)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            ready!(self.poll_timeout(context));
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error)))),
            None => return Poll::Ready(None),
        };
        match self.bytes_left.checked_sub(frame.data_ref().map_or(0, Buf::remaining)) {
            Some(left) => self.bytes_left = left,
            None => return Poll::Ready(Some(Err(BodyError::TooLarge { bytes_max: self.bytes_max }))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.inner.is_end_stream() {
            self.progress.leave_body_unread();
        }
    }
}

/// An answer's body; tells when it has been produced.
#[derive(Debug)]
pub(super) struct AnswerBody<B> {
    inner: B,
    progress: Arc<Progress>,
}

impl<B> AnswerBody<B> {
    pub(super) const fn new(inner: B, progress: Arc<Progress>) -> Self {
        Self { inner, progress }
    }
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        self.progress.enter(Stage::Flushing);
    }
}
