// SPDX-License-Identifier: Apache-2.0
//! From a request's head to its answer. What memory can answer is answered at once, without a future being boxed.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_domain::{Clock, Secret};
use cress_service::listen::RequestBody;
use cress_service::problem::{method_not_allowed, not_found};
use cress_verify::SourceStatus;
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;

use super::answer::{self, Answer};
use super::log;
use crate::judge::{Decision, Judge, Step};
use crate::metrics::AuthzMetrics;
use crate::request::{Asked, AskedError, Style, read_asked};
use crate::rules::Rule;

const HEALTH: &str = "/healthz";
const READINESS: &str = "/readyz";

/// Answers requests. Clones are the same.
#[derive(Clone)]
pub(crate) struct Service(Arc<Shared>);

struct Shared {
    judge: Arc<ArcSwap<Judge>>,
    metrics: AuthzMetrics,
    clock: Arc<dyn Clock>,
}

/// An answer, or the future of one.
pub(crate) enum Answering {
    Now(Option<Answer>),
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl Service {
    pub(crate) fn new(judge: Arc<ArcSwap<Judge>>, metrics: AuthzMetrics, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { judge, metrics, clock }))
    }

    /// Decides a request whose every part is known, and counts and logs it as any other.
    pub(crate) async fn decide(
        &self,
        asked: Result<Asked<'_>, AskedError>,
        head: &HeaderMap,
        body: &[u8],
    ) -> (Decision, String) {
        let began = self.0.clock.monotonic();
        let judge = self.0.judge.load_full();
        let in_body;
        let token = match judge.place().in_headers(head) {
            Some(token) => token,
            None => {
                in_body = judge.place().in_body(body);
                in_body.as_ref().map(|token| token.expose().as_str()).map_err(|error| *error)
            }
        };
        let decision = match judge.step(asked.as_ref().map_err(|error| *error), &token) {
            Step::Done(decision) => decision,
            Step::Wait(rule, token) => {
                let asked = asked.as_ref().ok().cloned().unwrap_or_default();
                judge.wait(&rule, token.expose(), &asked).await
            }
        };
        self.0.record(&judge, &decision, began, || asked.unwrap_or_default());
        (decision, judge.realm().to_owned())
    }

    fn verify(&self, style: Style, head: Parts, body: RequestBody) -> Answering {
        let began = self.0.clock.monotonic();
        let judge = self.0.judge.load();
        let Some(token) = judge.place().in_headers(&head.headers) else {
            let later = Later { shared: Arc::clone(&self.0), judge: Arc::clone(&judge), style, head, began };
            return Answering::Later(Box::pin(later.with_body(body)));
        };
        let asked = asked(&head);
        match judge.step(asked.as_ref().map_err(|error| *error), &token) {
            Step::Done(decision) => now(self.0.answer(&judge, style, &head, decision, began)),
            Step::Wait(rule, token) => {
                let later = Later { shared: Arc::clone(&self.0), judge: Arc::clone(&judge), style, head, began };
                Answering::Later(Box::pin(later.with_keys(rule, token)))
            }
        }
    }
}

/// A request whose answer takes more than memory.
struct Later {
    shared: Arc<Shared>,
    judge: Arc<Judge>,
    style: Style,
    head: Parts,
    began: Duration,
}

impl Later {
    async fn with_keys(self, rule: Arc<Rule>, token: Secret<String>) -> Answer {
        let decision = self.judge.wait(&rule, token.expose(), &asked(&self.head).unwrap_or_default()).await;
        self.answer(decision)
    }

    async fn with_body(self, body: RequestBody) -> Answer {
        let bytes = match body.collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => return answer::bad_body(&error),
        };
        let token = self.judge.place().in_body(&bytes);
        let token = token.as_ref().map(|token| token.expose().as_str()).map_err(|error| *error);
        let step = self.judge.step(asked(&self.head).as_ref().map_err(|error| *error), &token);
        match step {
            Step::Done(decision) => self.answer(decision),
            Step::Wait(rule, token) => self.with_keys(rule, token).await,
        }
    }

    fn answer(&self, decision: Decision) -> Answer {
        self.shared.answer(&self.judge, self.style, &self.head, decision, self.began)
    }
}

impl Shared {
    fn answer(&self, judge: &Judge, style: Style, head: &Parts, decision: Decision, began: Duration) -> Answer {
        self.record(judge, &decision, began, || asked(head).unwrap_or_default());
        answer::of(decision, style, judge.realm())
    }

    fn record<'a>(&self, judge: &Judge, decision: &Decision, began: Duration, asked: impl FnOnce() -> Asked<'a>) {
        self.metrics.count(decision, self.clock.monotonic().saturating_sub(began));
        log::access(judge.access_log(), decision, asked);
    }

    /// Alive: it answers. Ready: some issuer's tokens can be checked.
    fn other(&self, head: &Parts) -> Answer {
        match (head.uri.path(), &head.method) {
            (HEALTH | READINESS, method) if !matches!(*method, Method::GET | Method::HEAD) => {
                answer::problem(&method_not_allowed(method))
            }
            (HEALTH, _) => answer::status("alive"),
            (READINESS, _) => {
                let status = self.judge.load().status();
                let is_usable = |one: &SourceStatus| one.key_ids.is_some() && !one.too_old;
                if status.iter().any(is_usable) { answer::status("ready") } else { answer::not_ready() }
            }
            (path, _) => answer::problem(&not_found(path)),
        }
    }
}

/// What is asked about; none of it where the path is none of ours.
fn asked(head: &Parts) -> Result<Asked<'_>, AskedError> {
    match style(head) {
        Some((style, target)) => read_asked(style, target, head),
        None => Ok(Asked::default()),
    }
}

fn style(head: &Parts) -> Option<(Style, &str)> {
    Style::of(head.uri.path_and_query()?.as_str())
}

const fn now(answer: Answer) -> Answering {
    Answering::Now(Some(answer))
}

impl hyper::service::Service<Request<RequestBody>> for Service {
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<RequestBody>) -> Answering {
        let (head, body) = request.into_parts();
        match style(&head).map(|(style, _)| style) {
            Some(style) => self.verify(style, head, body),
            None => now(self.0.other(&head)),
        }
    }
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Now(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Self::Later(answer) => answer.as_mut().poll(context).map(Ok),
        }
    }
}
