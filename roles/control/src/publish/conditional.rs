// SPDX-License-Identifier: Apache-2.0
//! Public documents with an entity tag (RFC 9110 section 8.8.3), for caches of at most an hour.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The longest that a document may be cached, whatever is configured: a revoked key must leave caches soon.
const CACHE_LIFE_MAX: Duration = Duration::from_secs(3_600);

/// A document that anyone may read and keep for a while.
pub(super) struct Document<'a> {
    pub(super) body: Bytes,
    /// With its quotes.
    pub(super) entity_tag: &'a str,
    pub(super) cache_control: HeaderValue,
}

pub(super) fn cache_control(life: Duration) -> HeaderValue {
    let seconds = life.min(CACHE_LIFE_MAX).as_secs();
    HeaderValue::try_from(format!("public, max-age={seconds}")).unwrap_or(HeaderValue::from_static("no-cache"))
}

impl Document<'_> {
    /// 200 with the document, or 304 if the caller has it already.
    pub(super) fn answer(self, request: &HeaderMap) -> Response {
        let known = is_known(request, self.entity_tag);
        let mut response = Response::new(if known { Body::empty() } else { Body::from(self.body) });
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(self.entity_tag) {
            headers.insert(ETAG, tag);
        }
        headers.insert(CACHE_CONTROL, self.cache_control);
        // Public keys may be read by a web page of any origin.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}

/// RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`.
fn is_known(request: &HeaderMap, entity_tag: &str) -> bool {
    let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == entity_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_as_lists() {
        let known = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(line));
            }
            is_known(&headers, "\"abc\"")
        };
        for lines in [&["\"abc\""][..], &["W/\"abc\""], &["\"x\", \"abc\""], &["\"x\"", "\"abc\""], &["*"]] {
            assert!(known(lines), "{lines:?}");
        }
        for lines in [&[][..], &["abc"], &["\"ABC\""], &["\"abcd\""], &["\"x\", \"y\""], &[""]] {
            assert!(!known(lines), "{lines:?}");
        }
    }

    #[test]
    fn nothing_is_cached_for_longer_than_an_hour() {
        assert_eq!(cache_control(Duration::from_secs(60)), "public, max-age=60");
        assert_eq!(cache_control(Duration::from_secs(86_400)), "public, max-age=3600");
    }
}
