// SPDX-License-Identifier: Apache-2.0
//! Small layers that every HTTP server wants: a request id, and headers against sniffing and storing.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use cress_domain::Random;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, HeaderName, X_CONTENT_TYPE_OPTIONS};
use tracing::Instrument;

/// The header that carries a request's id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What names one request in logs and in its answer. Made here: a caller's own is not trusted, since it could forge log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 16];
        random.fill(&mut bytes);
        Self(uuid::Uuid::from_bytes(bytes).simple().to_string().into())
    }
}

/// Gives each request a [`RequestId`]: in its extensions, in the answer's `X-Request-Id`, and in every log line written under it.
pub fn with_request_ids(router: Router, random: Arc<dyn Random>) -> Router {
    router.layer(from_fn_with_state(random, assign_request_id))
}

/// Adds `X-Content-Type-Options: nosniff` to every answer, and `Cache-Control: no-store` to those that say nothing of caching.
pub fn with_security_headers(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }))
}

async fn assign_request_id(State(random): State<Arc<dyn Random>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(random.as_ref());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = id.as_str());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::SystemRandom;

    #[tokio::test]
    async fn every_answer_has_its_id_and_headers() {
        let cached = get(|| async { ([(CACHE_CONTROL, "max-age=3600")], "") });
        let router = Router::new().route("/cached", cached);
        let router = with_security_headers(with_request_ids(router, Arc::new(SystemRandom)));
        for (path, cache) in [("/cached", "max-age=3600"), ("/absent", "no-store")] {
            let request = Request::get(path).header(X_REQUEST_ID, "forged").body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.headers()[CACHE_CONTROL], cache);
            assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(answer.headers()[X_REQUEST_ID].len(), 32);
        }
    }
}
