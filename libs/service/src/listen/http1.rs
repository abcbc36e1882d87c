// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 on one connection, from its first byte to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::body::{AnswerBody, RequestBody};
use super::connection::Connection;
use super::guarded_io::GuardedIo;
use super::limits::{HEADERS_DEFAULT, Limits};
use super::progress::{Progress, Stage, Watchdog};
use super::refusal::{close_gently, refuse};
use crate::problem::{body_too_large, internal_error, to_http};

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Http1 {
    builder: http1::Builder,
    limits: Limits,
}

type Answer<B> = Response<AnswerBody<Either<B, Full<Bytes>>>>;

impl Http1 {
    pub(super) fn new(limits: Limits) -> Self {
        let mut builder = http1::Builder::new();
        // The library's own timer would count idle time as time for a head, and cost an allocation a request.
        builder
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes_max())
            .max_header_size(limits.head_bytes_max());
        // Any number set here, even the default one, costs an allocation a request.
        if limits.headers_max != HEADERS_DEFAULT {
            builder.max_headers(usize::from(limits.headers_max.max(1)));
        }
        Self { builder, limits }
    }

    /// Serves until the peer closes, a limit is broken, or `drain` is cancelled and the request at hand is answered. Dropping it cuts the connection.
    pub(super) async fn serve<S, B>(&self, connection: Connection, service: S, drain: CancellationToken)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Data = Bytes> + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let progress = Arc::new(Progress::default());
        let io = TokioIo::new(GuardedIo::new(connection, Arc::clone(&progress)));
        let service = service_fn(|request| self.answer(&service, request, &progress));
        let mut http = self.builder.serve_connection(io, service);
        let ended = self.drive(&mut http, &progress, drain).await;
        let mut io = http.into_parts().io.into_inner().inner;
        finish(&mut io, ended, &progress).await;
    }

    async fn answer<S, B>(
        &self,
        service: &S,
        request: Request<Incoming>,
        progress: &Arc<Progress>,
    ) -> Result<Answer<B>, Infallible>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    {
        progress.enter(Stage::Answering);
        let request = request.map(|body| RequestBody::new(body, &self.limits, Arc::clone(progress)));
        let answer = if request.body().is_too_large() {
            to_http(&body_too_large(self.limits.body_bytes_max())).map(|body| Either::Right(Full::new(body)))
        } else {
            // A defect in one handler ends neither the connection nor its other requests; the panic hook has logged it.
            match AssertUnwindSafe(service.call(request)).catch_unwind().await {
                Ok(Ok(answer)) => answer.map(Either::Left),
                Err(_) => to_http(&internal_error()).map(|body| Either::Right(Full::new(body))),
            }
        };
        Ok(answer.map(|body| AnswerBody::new(body, Arc::clone(progress))))
    }

    async fn drive<S, B>(
        &self,
        http: &mut http1::Connection<TokioIo<GuardedIo<Connection>>, S>,
        progress: &Progress,
        drain: CancellationToken,
    ) -> Ended
    where
        S: HttpService<Incoming, ResBody = B>,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut watchdog = Watchdog::new(&self.limits);
        let mut drain = Some(Box::pin(drain.cancelled_owned()));
        poll_fn(|context| {
            if let Some(asked) = &mut drain
                && asked.as_mut().poll(context).is_ready()
            {
                drain = None;
                Pin::new(&mut *http).graceful_shutdown();
            }
            if let Poll::Ready(result) = Pin::new(&mut *http).poll(context) {
                return Poll::Ready(Ended::ByItself(result));
            }
            watchdog.poll_expired(progress, &self.limits, context).map(|()| Ended::Overdue)
        })
        .await
    }
}

#[derive(Debug)]
enum Ended {
    ByItself(hyper::Result<()>),
    Overdue,
}

async fn finish(io: &mut Connection, ended: Ended, progress: &Progress) {
    match ended {
        Ended::Overdue if progress.stage() == Stage::Head => refuse(io, 408).await,
        // Nobody is listening, or nobody reads: there is nothing to say.
        Ended::Overdue => {}
        Ended::ByItself(Err(error)) => {
            tracing::debug!(error = &error as &dyn Error, peer = ?io.peer().address, "connection failed");
            if progress.refused_with() != 0 {
                refuse(io, progress.refused_with()).await;
            } else if error.is_parse() && progress.stage() == Stage::Head {
                refuse(io, 400).await;
            }
        }
        Ended::ByItself(Ok(())) if progress.is_body_left_unread() => close_gently(io).await,
        // The peer may be gone already.
        Ended::ByItself(Ok(())) => drop(io.shutdown().await),
    }
}
