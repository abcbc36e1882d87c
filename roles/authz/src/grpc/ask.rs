// SPDX-License-Identifier: Apache-2.0
//! What Envoy asks about. It says each part in a field of its own, so no header of its client is taken for one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::proto::CheckRequest;
use super::proto::attribute_context::HttpRequest;
use crate::request::{Asked, AskedError, read_parts};

/// A question with its headers and body.
pub(super) struct Question {
    method: String,
    host: String,
    path: String,
    source_address: Option<IpAddr>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// A header that is none: what was sent is not what would be looked at.
    is_malformed: bool,
}

impl Question {
    pub(super) fn asked(&self) -> Result<Asked<'_>, AskedError> {
        if self.is_malformed {
            return Err(AskedError::NotText("Authorization"));
        }
        let part = |text: &'_ String| (!text.is_empty()).then_some(());
        let asked = read_parts(
            part(&self.method).map(|()| self.method.as_str()),
            part(&self.host).map(|()| self.host.as_str()),
            part(&self.path).map(|()| self.path.as_str()),
        )?;
        Ok(Asked { source_address: self.source_address, ..asked })
    }
}

pub(super) fn read(request: CheckRequest) -> Question {
    let attributes = request.attributes.unwrap_or_default();
    let address = attributes.source.and_then(|peer| peer.address?.socket_address);
    let http = attributes.request.and_then(|request| request.http).unwrap_or_default();
    let (headers, is_malformed) = headers(&http);
    let body = if http.raw_body.is_empty() { http.body.into_bytes() } else { http.raw_body };
    Question {
        method: http.method,
        host: http.host,
        path: http.path,
        source_address: address.and_then(|address| address.address.parse().ok()),
        headers,
        body,
        is_malformed,
    }
}

/// Envoy joins repeated headers with commas in its map, which no token survives; in its list they stay apart.
fn headers(http: &HttpRequest) -> (HeaderMap, bool) {
    let listed = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { header.raw_value.as_slice() };
        (header.key.as_str(), value)
    });
    let mapped = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let (mut headers, mut is_malformed) = (HeaderMap::new(), false);
    for (name, value) in listed.chain(mapped).filter(|(name, _)| !name.starts_with(':')) {
        match (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
            // More names than the map holds are an error too.
            (Ok(name), Ok(value)) => is_malformed |= headers.try_append(name, value).is_err(),
            _ => is_malformed = true,
        }
    }
    (headers, is_malformed)
}
