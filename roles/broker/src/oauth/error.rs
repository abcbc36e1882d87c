// SPDX-License-Identifier: Apache-2.0
//! Why there is no token, in the words of RFC 6749 section 5.2 and RFC 8693 section 2.2.2.

use std::time::Duration;

use cress_api::Problem;
use cress_api::broker::OAuthError;
use http::StatusCode;

use crate::broker::Failure;
use crate::caller::Refused;
use crate::http::{Answer, json, with_retry_after};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<Duration>,
}

const REQUEST: &str = "invalid_request";
const TARGET: &str = "invalid_target";
const UNAVAILABLE: &str = "temporarily_unavailable";

impl Refusal {
    pub(super) fn request(description: String) -> Self {
        Self::bad(REQUEST, description)
    }

    pub(super) fn grant_type() -> Self {
        Self::bad("unsupported_grant_type", "expected a token exchange (RFC 8693)".to_owned())
    }

    pub(super) fn scope() -> Self {
        Self::bad("invalid_scope", "expected no scope: what a credential may do is configured".to_owned())
    }

    pub(super) fn no_resource() -> Self {
        Self::bad(TARGET, "expected the name of a credential as audience, and no resource".to_owned())
    }

    pub(super) fn target() -> Self {
        Self::bad(TARGET, "there is no credential of this name that you may have".to_owned())
    }

    pub(super) fn not_a_token() -> Self {
        Self::bad(TARGET, "this credential is not a token; ask for it with POST /v1/credentials/".to_owned())
    }

    pub(super) fn of_body(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, ..Self::request(problem.to_string()) }
    }

    /// RFC 8693 section 2.2.2: a subject token that is bad for any reason makes the request invalid.
    pub(super) fn of_caller(refused: Refused) -> Self {
        let Refused { refusal, retry_after } = refused;
        let description = format!("{}; {}", refusal.detail, refusal.remedy);
        match refusal.status {
            status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                Self { status, error: UNAVAILABLE, description, retry_after: retry_after.or(Some(SOON)) }
            }
            _ => Self::request(description),
        }
    }

    pub(super) fn of_failure(failure: &Failure) -> Self {
        let problem = failure.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match (failure, status) {
            (Failure::Denied(_), StatusCode::FORBIDDEN) => Self::target(),
            (Failure::Denied(_), _) => Self::request(problem.to_string()),
            _ => Self {
                status,
                error: if failure.retry_after().is_some() { UNAVAILABLE } else { "server_error" },
                description: problem.to_string(),
                retry_after: failure.retry_after(),
            },
        }
    }

    pub(super) fn answer(self) -> Answer {
        let body = OAuthError { error: self.error.into(), error_description: quotable(&self.description) };
        with_retry_after(json(self.status, &body), self.retry_after)
    }

    #[cfg(test)]
    pub(super) const fn error(&self) -> &'static str {
        self.error
    }

    const fn bad(error: &'static str, description: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description, retry_after: None }
    }
}

const SOON: Duration = Duration::from_secs(2);

/// The characters that RFC 6749 section 5.2 allows in a description.
fn quotable(text: &str) -> String {
    let quotable = |character| match character {
        '"' => '\'',
        ' '..='[' | ']'..='~' => character,
        _ => '?',
    };
    text.chars().map(quotable).collect()
}
