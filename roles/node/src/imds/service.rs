// SPDX-License-Identifier: Apache-2.0
//! From a request's head to its answer. What memory can answer is answered at once, without a future being boxed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cress_domain::Audience;
use http::header::HeaderMap;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use tokio::time::timeout;

use super::answer::{Afterwards, Answer, Reply, answer};
use super::backend::{Backend, BackendError, TokenAnswer};
use super::body;
use super::exchange::{Exchange, Phase};
use super::limits::RATE_REFUSAL_DELAY;
use super::refusal::Refusal;
use super::route::{self, Call};
use super::rules;
use super::server::Instance;

/// The service on one connection.
pub(super) struct Metadata<B> {
    instance: Arc<Instance<B>>,
    exchange: Arc<Exchange>,
}

type Outcome = (Result<Reply, Refusal>, Afterwards);
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is to be done for a request.
enum Step {
    Now(Reply),
    Later(Later<Outcome>),
}

/// An answer, or the future of one.
pub(super) enum Answering {
    Now(Option<Answer>),
    Later(Later<Answer>),
}

impl<B: Backend> Metadata<B> {
    pub(super) const fn new(instance: Arc<Instance<B>>, exchange: Arc<Exchange>) -> Self {
        Self { instance, exchange }
    }

    fn step(&self, head: &Parts, body: Incoming, now: Duration) -> Result<Step, Refusal> {
        if let Err(wait) = self.instance.requests.take(now) {
            return Ok(Step::Later(Box::pin(rate_limited(wait, afterwards(&body)))));
        }
        rules::check(head, &self.instance.hosts)?;
        match route::find(head)? {
            Call::SetDeletionCost => {
                body::check_head(&head.headers)?;
                Ok(Step::Later(Box::pin(set_deletion_cost(Arc::clone(&self.instance), body))))
            }
            Call::Restart => {
                if !body.is_end_stream() {
                    body::check_head(&head.headers)?;
                }
                Ok(Step::Later(Box::pin(restart(Arc::clone(&self.instance), body))))
            }
            _ if !body.is_end_stream() => Err(Refusal::BodyNotAllowed),
            Call::Token(audience) => match self.instance.backend.token(audience.as_ref()) {
                TokenAnswer::Pending => Ok(Step::Later(Box::pin(settled_token(Arc::clone(&self.instance), audience)))),
                settled => token_reply(settled).map(Step::Now),
            },
            Call::Status => Ok(Step::Now(json(&self.instance.backend.status()?))),
            Call::DeletionCost => {
                let deletion_cost = self.instance.backend.deletion_cost()?;
                Ok(Step::Now(json(&cress_api::imds::DeletionCost { deletion_cost })))
            }
        }
    }

    fn now(&self, headers: HeaderMap, result: Result<Reply, Refusal>, afterwards: Afterwards) -> Answering {
        self.exchange.answer_at_once();
        self.instance.statistics.count(&result);
        Answering::Now(Some(answer(headers, result, afterwards)))
    }

    fn later(&self, headers: HeaderMap, outcome: Later<Outcome>) -> Answering {
        let instance = Arc::clone(&self.instance);
        let exchange = Arc::clone(&self.exchange);
        Answering::Later(Box::pin(async move {
            let (result, afterwards) = outcome.await;
            exchange.enter(Phase::Answering, exchange.now());
            instance.statistics.count(&result);
            answer(headers, result, afterwards)
        }))
    }
}

impl<B: Backend> hyper::service::Service<Request<Incoming>> for Metadata<B> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let now = self.exchange.now();
        self.exchange.enter(Phase::Serving, now);
        let (head, body) = request.into_parts();
        let afterwards = afterwards(&body);
        match self.step(&head, body, now) {
            Ok(Step::Now(reply)) => self.now(head.headers, Ok(reply), afterwards),
            Ok(Step::Later(outcome)) => self.later(head.headers, outcome),
            Err(refusal) => self.now(head.headers, Err(refusal), afterwards),
        }
    }
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Now(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Self::Later(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}

/// What becomes of the connection if this body stays unread.
fn afterwards(body: &Incoming) -> Afterwards {
    if body.is_end_stream() { Afterwards::KeepOpen } else { Afterwards::Close }
}

fn json(value: &impl serde::Serialize) -> Reply {
    Reply::Json(serde_json::to_vec(value).unwrap_or_default().into())
}

fn token_reply(answer: TokenAnswer) -> Result<Reply, Refusal> {
    match answer {
        TokenAnswer::Ready(token) => Ok(Reply::Json(token.share())),
        TokenAnswer::Pending | TokenAnswer::Unavailable => Err(Refusal::TokenNotReady),
        TokenAnswer::AudienceNotAllowed => Err(Refusal::AudienceNotAllowed),
        TokenAnswer::InstanceUnknown => Err(Refusal::InstanceNotFound),
    }
}

async fn rate_limited(wait: Duration, afterwards: Afterwards) -> Outcome {
    tokio::time::sleep(RATE_REFUSAL_DELAY).await;
    (Err(Refusal::RateLimited { retry_after_seconds: wait.as_secs() + 1 }), afterwards)
}

async fn settled_token<B: Backend>(instance: Arc<Instance<B>>, audience: Option<Audience>) -> Outcome {
    let settled = timeout(instance.limits.wait_time(), instance.backend.settled_token(audience.as_ref())).await;
    (token_reply(settled.unwrap_or(TokenAnswer::Pending)), Afterwards::KeepOpen)
}

async fn restart<B: Backend>(instance: Arc<Instance<B>>, body: Incoming) -> Outcome {
    let wait = instance.limits.wait_time();
    with_body(body, instance.limits.body_time(), async |bytes| {
        body::nothing(&bytes)?;
        done(timeout(wait, instance.backend.restart()).await)
    })
    .await
}

async fn set_deletion_cost<B: Backend>(instance: Arc<Instance<B>>, body: Incoming) -> Outcome {
    let wait = instance.limits.wait_time();
    with_body(body, instance.limits.body_time(), async |bytes| {
        let cost = body::deletion_cost(&bytes)?;
        done(timeout(wait, instance.backend.set_deletion_cost(cost)).await)
    })
    .await
}

/// Reads a body to its end, if it has an acceptable one, and goes on with it.
async fn with_body(
    body: Incoming,
    time: Duration,
    then: impl AsyncFnOnce(Vec<u8>) -> Result<Reply, Refusal>,
) -> Outcome {
    match body::read(body, time).await {
        Ok(bytes) => (then(bytes).await, Afterwards::KeepOpen),
        Err(refusal) => (Err(refusal), Afterwards::Close),
    }
}

fn done(result: Result<Result<(), BackendError>, tokio::time::error::Elapsed>) -> Result<Reply, Refusal> {
    result.map_err(|_elapsed| Refusal::Unavailable)??;
    Ok(Reply::NoContent)
}
