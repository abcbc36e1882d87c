// SPDX-License-Identifier: Apache-2.0
//! A key set server that a test can make slow, wrong or hostile.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cress_testkit::TestIssuer;
use futures_util::{StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Ends with the test.
pub(crate) struct JwksServer {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    task: AbortHandle,
}

struct Shared {
    answer: Answer,
    etags_asked_for: Vec<Option<String>>,
    /// Of the largest answer.
    sent_bytes: usize,
}

/// What the server answers.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) etag: Option<&'static str>,
    pub(crate) cache_control: &'static str,
    pub(crate) location: Option<String>,
    pub(crate) delay: Duration,
    /// Time before each byte of the body.
    pub(crate) drip: Option<Duration>,
    /// Empty: none is named.
    pub(crate) content_type: &'static str,
    /// The body, again and again.
    pub(crate) endless: bool,
}

impl Answer {
    pub(crate) fn body(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            etag: None,
            cache_control: "max-age=3600",
            location: None,
            delay: Duration::ZERO,
            drip: None,
            content_type: "application/json",
            endless: false,
        }
    }

    pub(crate) fn keys(issuer: &TestIssuer) -> Self {
        Self::body(issuer.jwks_json())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::body("{\"keys\":[]}") }
    }
}

impl JwksServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::start_at(0, answer).await
    }

    pub(crate) async fn start_at(port: u16, answer: Answer) -> Self {
        let shared = Arc::new(Mutex::new(Shared { answer, etags_asked_for: Vec::new(), sent_bytes: 0 }));
        let router = Router::new().fallback(respond).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { port, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jwks", self.port)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.shared().answer = answer;
    }

    /// How many requests came.
    pub(crate) fn hits(&self) -> usize {
        self.shared().etags_asked_for.len()
    }

    /// How much of an endless or dripping answer was taken, at most.
    pub(crate) fn sent_bytes_of_one_answer(&self) -> usize {
        self.shared().sent_bytes
    }

    /// `If-None-Match` of the last request.
    pub(crate) fn last_etag_asked_for(&self) -> Option<String> {
        self.shared().etags_asked_for.last().unwrap().clone()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn respond(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap) -> Response {
    let asked_for = headers.get(IF_NONE_MATCH).map(|etag| etag.to_str().unwrap().to_owned());
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.etags_asked_for.push(asked_for.clone());
        shared.answer.clone()
    };
    tokio::time::sleep(answer.delay).await;
    let unchanged = asked_for.is_some() && asked_for.as_deref() == answer.etag;
    let status = if unchanged { StatusCode::NOT_MODIFIED.as_u16() } else { answer.status };
    let mut response = Response::builder().status(status).header(CACHE_CONTROL, answer.cache_control);
    if let Some(etag) = answer.etag {
        response = response.header(ETAG, etag);
    }
    if let Some(location) = answer.location {
        response = response.header(LOCATION, location);
    }
    if !answer.content_type.is_empty() {
        response = response.header(CONTENT_TYPE, answer.content_type);
    }
    let body = if unchanged {
        Body::empty()
    } else if answer.endless {
        let sent = move |sent: usize| {
            let (sent, body, shared) = (sent + answer.body.len(), answer.body.clone(), Arc::clone(&shared));
            async move {
                let mut shared = shared.lock().unwrap();
                shared.sent_bytes = shared.sent_bytes.max(sent);
                Some((Ok::<_, Infallible>(body), sent))
            }
        };
        Body::from_stream(stream::unfold(0, sent))
    } else if let Some(every) = answer.drip {
        let bytes = stream::iter(answer.body.into_bytes());
        Body::from_stream(bytes.then(move |byte| async move {
            tokio::time::sleep(every).await;
            Ok::<_, Infallible>(vec![byte])
        }))
    } else {
        Body::from(answer.body)
    };
    response.body(body).unwrap()
}
