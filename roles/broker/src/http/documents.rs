// SPDX-License-Identifier: Apache-2.0
//! What anyone may read: the keys of what the broker signs and where they are, where tokens are exchanged, and what the API is.

use std::time::Duration;

use bytes::Bytes;
use cress_api::Problem;
use cress_api::broker::paths;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Full;

use super::answer::{self, Answer};
use crate::broker::Broker;
use crate::oauth;
use crate::signer::Document;

/// How long what does not change while the broker runs may be kept.
const LIFE: Duration = Duration::from_secs(300);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Documents that are the same for every request.
#[derive(Debug)]
pub(crate) struct Documents {
    authorization_server: Bytes,
    openapi: Bytes,
    jwks_url: String,
    token_url: String,
}

impl Documents {
    pub(crate) fn new(broker: &Broker) -> Self {
        let url = &broker.parts.url;
        let metadata = serde_json::to_vec(&oauth::metadata(url)).unwrap_or_default();
        Self {
            authorization_server: metadata.into(),
            openapi: super::openapi().into(),
            jwks_url: format!("{url}{}", paths::JWKS),
            token_url: format!("{url}{}", paths::TOKEN),
        }
    }

    pub(super) fn authorization_server(&self) -> Answer {
        public(self.authorization_server.clone(), LIFE)
    }

    pub(super) fn openapi(&self) -> Answer {
        public(self.openapi.clone(), LIFE)
    }

    pub(super) fn key_set(&self, broker: &Broker, headers: &HeaderMap) -> Answer {
        match broker.parts.signer.key_set() {
            Some(document) => conditional(document, headers),
            None => answer::with_retry_after(answer::problem(&stale()), Some(RETRY_AFTER)),
        }
    }

    pub(super) fn discovery(&self, broker: &Broker, headers: &HeaderMap) -> Answer {
        conditional(broker.parts.signer.discovery(&self.jwks_url, &self.token_url), headers)
    }
}

fn stale() -> Problem {
    let detail =
        "the broker has not reached its store for too long to know which keys are published; keep the keys you have";
    Problem::new(503, "keys-unknown", "Service Unavailable").with_detail(detail)
}

/// 200 with the document, or 304 if the caller has it already.
fn conditional(document: Document, headers: &HeaderMap) -> Answer {
    let known = is_known(headers, &document.entity_tag);
    let mut answer = public(if known { Bytes::new() } else { document.body }, document.life);
    if let Ok(tag) = HeaderValue::from_str(&document.entity_tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    if known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().remove(CONTENT_TYPE);
    }
    answer
}

fn public(body: Bytes, life: Duration) -> Answer {
    let mut answer = Answer::new(Full::new(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let life = HeaderValue::try_from(format!("public, max-age={}", life.as_secs()));
    headers.insert(CACHE_CONTROL, life.unwrap_or(HeaderValue::from_static("no-cache")));
    // Nothing in it is secret, and a web page of any origin may read it.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

/// RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`.
fn is_known(request: &HeaderMap, entity_tag: &str) -> bool {
    let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == entity_tag)
}
