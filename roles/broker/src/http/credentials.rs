// SPDX-License-Identifier: Apache-2.0
//! `/v1/credentials`: what there is for a caller, and one of it.

use aws_lc_rs::digest::{Context, SHA256, digest};
use cress_api::Problem;
use cress_api::admin::List;
use cress_api::broker::{IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_BYTES_MAX, IssueRequest, Offer};
use cress_domain::{CredentialName, LeaseId};
use cress_provider::{FieldValue, Issued};
use cress_service::listen::RequestBody;
use http::{HeaderMap, StatusCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::answer::{self, Answer};
use super::body;
use super::service::Asking;
use crate::broker::{Asked, Failure, Given};
use crate::decision::Moment;
use crate::lease::Idempotency;

pub(super) fn list(asking: &Asking) -> Answer {
    let moment = Moment { time: asking.broker.parts.clock.now(), source_address: asking.source_address };
    let offers = asking.running.decisions.offers(&asking.caller, moment);
    let mut items: Vec<Offer> = offers.map(|offered| offered.shown()).collect();
    items.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    answer::json(StatusCode::OK, &List { items })
}

pub(super) async fn issue(asking: &Asking, name: CredentialName, headers: &HeaderMap, body: RequestBody) -> Answer {
    let request: IssueRequest = match body::json(headers, body).await {
        Ok(request) => request,
        Err(problem) => return answer::problem(&problem),
    };
    let idempotency = match idempotency(headers, &name, &request) {
        Ok(idempotency) => idempotency,
        Err(problem) => return answer::problem(&problem),
    };
    let asked = Asked { credential: name, request, idempotency, source_address: asking.source_address };
    match asking.broker.issue(&asking.running, &asking.caller, asked).await {
        Ok(given) => of_given(&given),
        Err(failure) => of_failure(&failure),
    }
}

pub(super) fn of_failure(failure: &Failure) -> Answer {
    answer::with_retry_after(answer::problem(&failure.problem()), failure.retry_after())
}

fn of_given(given: &Given) -> Answer {
    let granted = &given.granted;
    let shown = Shown {
        lease_id: granted.lease_id,
        expires_at: granted.expires_at.rfc3339(),
        renewable: granted.renewable,
        credential: Fields(&granted.issued),
    };
    answer::json(StatusCode::CREATED, &shown)
}

/// [`cress_api::broker::IssuedCredential`], written from where the secrets are, so that no copy of them is left behind.
#[derive(Serialize)]
struct Shown<'a> {
    lease_id: LeaseId,
    expires_at: String,
    renewable: bool,
    credential: Fields<'a>,
}

struct Fields<'a>(&'a Issued);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.fields.len()))?;
        for (name, value) in &self.0.fields {
            match value {
                FieldValue::Text(text) => map.serialize_entry(name, text)?,
                FieldValue::Number(number) => map.serialize_entry(name, number)?,
                FieldValue::Secret(secret) => map.serialize_entry(name, secret.expose())?,
            }
        }
        map.end()
    }
}

/// What makes a request the same as an earlier one, if the caller says so.
fn idempotency(
    headers: &HeaderMap,
    name: &CredentialName,
    request: &IssueRequest,
) -> Result<Option<Idempotency>, Box<Problem>> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = values.next() else { return Ok(None) };
    let allowed = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let is_key = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && key.as_bytes().iter().all(allowed);
    if values.next().is_some() || !is_key {
        let problem = Problem::new(400, "idempotency-key-malformed", "Bad Request");
        let expected =
            format!("expected one Idempotency-Key of 1 to {IDEMPOTENCY_KEY_BYTES_MAX} printable ASCII characters");
        return Err(Box::new(problem.with_detail(expected)));
    }
    Ok(Some(Idempotency { key: bytes(digest(&SHA256, key.as_bytes()).as_ref()), request: digest_of(name, request) }))
}

/// Every part with its length before it, so that no two requests are written alike.
fn digest_of(name: &CredentialName, request: &IssueRequest) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut part = |part: &str| {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    };
    part(name.as_str());
    part(&request.ttl_seconds.map_or_else(String::new, |seconds| seconds.to_string()));
    for (name, value) in &request.parameters {
        part(name);
        part(value);
    }
    bytes(context.finish().as_ref())
}

fn bytes(digest: &[u8]) -> [u8; 32] {
    digest.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> IssueRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn requests_that_differ_have_other_digests() {
        let name: CredentialName = "cache-rw".parse().unwrap();
        let digests = [
            r#"{}"#,
            r#"{"ttl_seconds":5}"#,
            r#"{"parameters":{"a":"b"}}"#,
            r#"{"parameters":{"ab":""}}"#,
            r#"{"parameters":{"a":"bc","d":""}}"#,
            r#"{"parameters":{"a":"b","c":"d"}}"#,
        ]
        .map(|json| digest_of(&name, &request(json)));
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[index + 1..].contains(digest), "{index}");
        }
        assert_ne!(digest_of(&"cache-ro".parse().unwrap(), &request("{}")), digests[0]);
    }

    #[test]
    fn a_key_is_one_short_word() {
        let name: CredentialName = "cache-rw".parse().unwrap();
        for (values, expected) in [
            (&[][..], Some(false)),
            (&["8e03978e-40d5-43dd-bc93-6894a57f9324"], Some(true)),
            (&["\"quoted\""], Some(true)),
            (&[""], None),
            (&["a", "a"], None),
            (&["\u{e4}"], None),
            (&["x"; 2], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let found = idempotency(&headers, &name, &request("{}"));
            assert_eq!(found.ok().map(|found| found.is_some()), expected, "{values:?}");
        }
    }
}
