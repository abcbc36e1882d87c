// SPDX-License-Identifier: Apache-2.0
//! What anyone may read: the keys of what the broker signs and where they are, where tokens are exchanged, and what the API is.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http_body_util::Full;

use super::answer::Answer;
use crate::broker::Broker;
use crate::oauth;

/// How long what does not change while the broker runs may be kept.
const LIFE: Duration = Duration::from_secs(300);

/// Documents that are the same for every request.
#[derive(Debug)]
pub(crate) struct Documents {
    authorization_server: Bytes,
    openapi: Bytes,
}

impl Documents {
    pub(crate) fn new(broker: &Broker) -> Self {
        let url = &broker.parts.url;
        let metadata = serde_json::to_vec(&oauth::metadata(url)).unwrap_or_default();
        Self { authorization_server: metadata.into(), openapi: super::openapi().into() }
    }

    pub(super) fn authorization_server(&self) -> Answer {
        public(self.authorization_server.clone(), LIFE)
    }

    pub(super) fn openapi(&self) -> Answer {
        public(self.openapi.clone(), LIFE)
    }
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
