// SPDX-License-Identifier: Apache-2.0
//! The bodies of requests.

use bytes::Bytes;
use cress_api::Problem;
use cress_service::listen::RequestBody;
use cress_service::problem::{read_json, unsupported_media_type};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::answer::bad_body;

const JSON: &str = "application/json";

/// The whole body, within the listener's limits.
pub(crate) async fn read(body: RequestBody) -> Result<Bytes, Problem> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(bad_body(&error)),
    }
}

/// A JSON object, or nothing at all where all of it may be left out.
pub(super) async fn json<T: DeserializeOwned + Default>(headers: &HeaderMap, body: RequestBody) -> Result<T, Problem> {
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    if !is_of_type(headers, JSON) {
        return Err(unsupported_media_type(JSON));
    }
    // A list would be taken for the members in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(400, "invalid-body", "Bad Request").with_detail("expected a JSON object"));
    }
    Ok(read_json(&bytes)?)
}

/// Whether the body says that it is of this media type, whatever parameters follow.
pub(crate) fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let media_type = value.to_str().ok().and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(expected))
}
