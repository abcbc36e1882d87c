// SPDX-License-Identifier: Apache-2.0
//! The answer to a request that does not pass (RFC 6750 section 3, RFC 9457).
//!
//! | request | status | `error` |
//! |---|---|---|
//! | no token | 401 | none, as section 3.1 asks |
//! | two headers, or no token after `Bearer` | 400 | `invalid_request` |
//! | a token that is bad for any reason | 401 | `invalid_token` |
//! | a good token whose claims are not permitted here | 403 | `insufficient_scope` |
//! | a token that nobody can judge, since the issuer's keys are missing or too old | 503 | none; `Retry-After` |

use bytes::Bytes;
use cress_token::Rejection;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::BearerError;
use crate::VerifyError;

/// Seconds after which a client may try again while keys are missing.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Why a request is refused, as its sender may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// 400, 401, 403 or 503.
    pub status: StatusCode,
    /// The `error` of RFC 6750 section 3.1, if there is one.
    pub error: Option<&'static str>,
    /// A stable name of the reason.
    pub code: &'static str,
    /// The reason in plain words.
    pub detail: String,
    /// What to do about it.
    pub remedy: &'static str,
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    remedy: &'a str,
}

impl Refusal {
    /// A refusal for a reason that this crate does not know. `error` is one of RFC 6750 section 3.1, where there is one.
    #[must_use]
    pub const fn new(
        status: StatusCode,
        error: Option<&'static str>,
        code: &'static str,
        detail: String,
        remedy: &'static str,
    ) -> Self {
        Self { status, error, code, detail, remedy }
    }

    /// For a good token that may not do this.
    #[must_use]
    pub fn not_permitted() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            error: Some("insufficient_scope"),
            code: "claim-rule-failed",
            // The rule itself would tell a stranger whom to impersonate.
            detail: "the token is good, but its claims are not permitted here".to_owned(),
            remedy: "send the token of a workload that is permitted here, or have the service permit this one",
        }
    }

    /// The answer. The body is problem details in JSON; the token and the rules are never in it.
    pub fn into_response<B: From<Bytes>>(self, realm: &str) -> Response<B> {
        let body = Problem {
            title: self.status.canonical_reason().unwrap_or("Refused"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            remedy: self.remedy,
        };
        // Only texts and numbers are written, so this cannot fail; an empty body would do if it did.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(B::from(Bytes::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        } else if let Ok(challenge) = HeaderValue::from_str(&self.challenge(realm)) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn challenge(&self, realm: &str) -> String {
        let realm = quotable(realm);
        match self.error {
            None => format!("Bearer realm=\"{realm}\""),
            Some(error) => {
                let description = quotable(&self.detail);
                format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{description}\"")
            }
        }
    }
}

/// The characters that RFC 6750 section 3 allows in a description; texts from a token are among them.
fn quotable(text: &str) -> String {
    let quotable = |character| match character {
        '"' => '\'',
        ' '..='[' | ']'..='~' => character,
        _ => '?',
    };
    text.chars().map(quotable).collect()
}

impl From<BearerError> for Refusal {
    fn from(error: BearerError) -> Self {
        let (status, name, code) = match error {
            BearerError::Missing => (StatusCode::UNAUTHORIZED, None, "token-missing"),
            BearerError::Repeated => (StatusCode::BAD_REQUEST, Some("invalid_request"), "authorization-repeated"),
            BearerError::Malformed => (StatusCode::BAD_REQUEST, Some("invalid_request"), "authorization-malformed"),
        };
        let remedy = "send the token in one header, Authorization: Bearer and the token, with nothing around it";
        Self { status, error: name, code, detail: error.to_string(), remedy }
    }
}

impl From<&VerifyError> for Refusal {
    fn from(error: &VerifyError) -> Self {
        let refusal =
            |status, name, detail| Self { status, error: name, code: error.code(), detail, remedy: error.remedy() };
        match error {
            VerifyError::Rejected(Rejection::ClaimRuleFailed { .. }) => Self::not_permitted(),
            VerifyError::Rejected(_) | VerifyError::IssuerUnknown { .. } | VerifyError::Replayed => {
                refusal(StatusCode::UNAUTHORIZED, Some("invalid_token"), error.to_string())
            }
            VerifyError::ReplayWindowFull => refusal(StatusCode::SERVICE_UNAVAILABLE, None, error.to_string()),
            // Where the keys come from, and why they do not, is no business of whoever asks.
            VerifyError::KeysUnavailable { .. } | VerifyError::KeysTooOld { .. } => {
                let detail = "the token cannot be checked now, since its issuer's keys are missing or too old";
                refusal(StatusCode::SERVICE_UNAVAILABLE, None, detail.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_hold_nothing_but_what_they_may() {
        let error = VerifyError::issuer_unknown(Some("a\"b\\c\r\nX: y é"));
        let response = Refusal::from(&error).into_response::<Bytes>("a\"b\n");
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            "Bearer realm=\"a'b?\", error=\"invalid_token\", error_description=\"expected a token of a trusted issuer, got \
             one of 'a?'b??c?r?nX: y ?'\""
        );
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((&body["status"], &body["code"]), (&401.into(), &"issuer-unknown".into()));
    }

    #[test]
    fn a_failed_rule_stays_unsaid() {
        let error = VerifyError::Rejected(Rejection::ClaimRuleFailed { rule: "team=secret".parse().unwrap() });
        let response = Refusal::from(&error).into_response::<Bytes>("x");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let shown = format!("{:?} {:?}", response.headers(), response.body());
        assert!(shown.contains("insufficient_scope") && !shown.contains("secret"), "{shown}");
    }
}
