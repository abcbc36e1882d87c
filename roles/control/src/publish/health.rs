// SPDX-License-Identifier: Apache-2.0
//! Whether the process lives, and whether it can do its work.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cress_api::Problem;
use cress_domain::Clock;
use cress_service::problem::{Json, with_retry_after};
use cress_store::control::ControlStore;
use serde::Serialize;
use tokio::sync::Mutex;

use super::{Public, Shared};
use crate::ca::NotCurrent;

/// How long an answer of the store counts: anyone may ask for readiness, and must not thereby load the store.
const STORE_ANSWER_LIFE: Duration = Duration::from_secs(1);
/// How long the store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_AFTER_SECONDS: u32 = 1;

#[derive(Debug, Serialize)]
struct Status {
    status: &'static str,
}

/// What readiness needs to ask the store.
pub(super) struct Readiness {
    store: ControlStore,
    last: LastAnswer,
}

/// Whether the store answered, and when.
struct LastAnswer {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Duration, StoreAnswer)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreAnswer {
    Good,
    None,
}

impl Readiness {
    pub(super) fn new(public: &Public) -> Self {
        Self { store: public.store.clone(), last: LastAnswer::new(Arc::clone(&public.clock)) }
    }

    async fn store(&self) -> StoreAnswer {
        self.last.or_ask(self.ask()).await
    }

    async fn ask(&self) -> StoreAnswer {
        match tokio::time::timeout(STORE_TIMEOUT, self.store.revision()).await {
            Ok(Ok(_)) => StoreAnswer::Good,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store does not answer");
                StoreAnswer::None
            }
            Err(_) => {
                tracing::warn!(seconds = STORE_TIMEOUT.as_secs(), "the store takes too long to answer");
                StoreAnswer::None
            }
        }
    }
}

impl LastAnswer {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// One question at a time; whoever waits for its answer gets the same one.
    async fn or_ask(&self, ask: impl Future<Output = StoreAnswer>) -> StoreAnswer {
        let mut last = self.last.lock().await;
        let now = self.clock.monotonic();
        if let Some((_, answer)) = last.filter(|(given_at, _)| now.saturating_sub(*given_at) < STORE_ANSWER_LIFE) {
            return answer;
        }
        let answer = ask.await;
        // The time of the answer, not of the question: if it took longer than answers count, each of those who waited would ask anew,
        // one after the other, and while the store hangs their queue would only grow.
        *last = Some((self.clock.monotonic(), answer));
        answer
    }
}

pub(super) async fn alive() -> Response {
    Json(Status { status: "alive" }).into_response()
}

pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let mut missing = Vec::new();
    if shared.public.ring.current().signing_key(shared.public.clock.now()).is_none() {
        missing.push(("keys", "no key may sign at the moment; see `cress admin keys list`".to_owned()));
    }
    if shared.readiness.store().await == StoreAnswer::None {
        missing.push(("store", "does not answer; the log says why".to_owned()));
    }
    if let Err(stale) = shared.public.fleet.check_fresh() {
        missing.push(("fleet", stale.to_string()));
    }
    // Those left out are no reason to send everyone elsewhere: other replicas have the same store.
    if let Err(old @ NotCurrent::Old(_)) = shared.public.ca.check_current() {
        missing.push(("authorities", old.to_string()));
    }
    if missing.is_empty() {
        return Json(Status { status: "ready" }).into_response();
    }
    let problem = Problem::new(503, "not-ready", "Service Unavailable").with_detail("control is not ready; see errors");
    let problem = missing.into_iter().fold(problem, |problem, (part, why)| problem.with_error(part, why));
    with_retry_after(problem, RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cress_testkit::MockClock;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_store_that_hangs_is_asked_once_for_all_who_wait() {
        let clock = Arc::new(MockClock::default());
        let (last, asked) = (LastAnswer::new(clock.clone()), AtomicUsize::new(0));
        let hang = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            clock.advance(STORE_TIMEOUT);
            StoreAnswer::None
        };
        let answers = join_all((0..100).map(|_| last.or_ask(hang()))).await;
        assert_eq!(answers, [StoreAnswer::None; 100]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);

        clock.advance(STORE_ANSWER_LIFE);
        assert_eq!(last.or_ask(async { StoreAnswer::Good }).await, StoreAnswer::Good);
        assert_eq!(last.or_ask(hang()).await, StoreAnswer::Good);
    }
}
