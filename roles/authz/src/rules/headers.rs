// SPDX-License-Identifier: Apache-2.0
//! The headers that tell the service behind a proxy who asks.
//!
//! Every header of any rule goes out with every request that passes, empty where there is nothing to say: a proxy copies what
//! it is given over what its client sent, so that a client's own `X-Cress-Instance` never gets through.

use std::collections::BTreeMap;

use cress_token::ClaimRule;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::identity_header::check_identity_header;
use super::value::write_value;
use crate::config::ConfigError;

/// Most headers of all rules together.
const HEADERS_MAX: usize = 64;
/// The longest value, in bytes as it is sent: proxies take 8 KiB for a whole head.
const VALUE_BYTES_MAX: usize = 2_048;

/// A claim that is too long to go out. Cut, it would be another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a claim is longer than the {VALUE_BYTES_MAX} bytes that a header may have")]
pub(crate) struct HeaderError;

/// What each header is filled from.
#[derive(Debug, Clone)]
pub(super) struct HeaderPlan(Vec<(HeaderName, Option<ClaimRule>)>);

impl HeaderPlan {
    /// These headers filled, and all others empty.
    pub(super) fn new(map: &BTreeMap<String, String>, every: &[HeaderName]) -> Result<Self, ConfigError> {
        let mut plan: Vec<(HeaderName, Option<ClaimRule>)> = every.iter().map(|name| (name.clone(), None)).collect();
        for (header, claim) in map {
            let wrong = |reason: String| ConfigError::Header { name: header.clone(), reason };
            // A rule without a value is a claim's name or a pointer into one.
            let path: ClaimRule = claim.parse().map_err(|error| wrong(format!("{error}")))?;
            if path.claim() != claim {
                return Err(wrong(format!("expected the name of a claim, or a pointer into one, got {claim:?}")));
            }
            let place = plan.iter_mut().find(|(name, _)| name.as_str().eq_ignore_ascii_case(header));
            match place {
                Some((_, place @ None)) => *place = Some(path),
                _ => return Err(wrong("expected each header once, whatever its case".to_owned())),
            }
        }
        Ok(Self(plan))
    }

    /// The headers for these claims.
    pub(super) fn fill(&self, claims: &Map<String, Value>) -> Result<HeaderMap, HeaderError> {
        let mut headers = HeaderMap::with_capacity(self.0.len());
        for (name, claim) in &self.0 {
            let found = claim.as_ref().and_then(|claim| claim.find(claims));
            let value = match found {
                Some(value) => write_value(value, VALUE_BYTES_MAX).ok_or(HeaderError)?,
                None => HeaderValue::from_static(""),
            };
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }
}

/// The names of all headers, each once.
pub(super) fn names<'a>(written: impl Iterator<Item = &'a String>) -> Result<Vec<HeaderName>, ConfigError> {
    let mut names: Vec<HeaderName> = Vec::new();
    for text in written {
        let name = name(text)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > HEADERS_MAX {
        let reason = format!("expected at most {HEADERS_MAX} headers in all rules together, got {}", names.len());
        return Err(ConfigError::Header { name: names.len().to_string(), reason });
    }
    Ok(names)
}

/// All of them, empty.
pub(super) fn empty(names: &[HeaderName]) -> HeaderMap {
    names.iter().map(|name| (name.clone(), HeaderValue::from_static(""))).collect()
}

fn name(text: &str) -> Result<HeaderName, ConfigError> {
    let wrong = |reason: String| ConfigError::Header { name: text.to_owned(), reason };
    check_identity_header(text).map_err(|error| wrong(error.to_string()))?;
    HeaderName::try_from(text).map_err(|_| wrong("expected the name of a header".to_owned()))
}
