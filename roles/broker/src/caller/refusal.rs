// SPDX-License-Identifier: Apache-2.0
//! Why someone is not heard, before anything else is looked at.

use std::time::Duration;

use cress_verify::VerifyError;
use cress_verify::http::{BearerError, Refusal};
use http::StatusCode;

/// A refusal, and when to come again if that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) retry_after: Option<Duration>,
}

const TOKEN: Option<&str> = Some("invalid_token");

impl Refused {
    /// Asked too often.
    pub(super) fn too_fast(wait: Duration) -> Self {
        let detail = "this instance, or its container group, asks too often".to_owned();
        let remedy =
            "come again after the seconds of Retry-After, and keep the credential until shortly before it ends";
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, None, "too-many-requests", detail, remedy);
        Self { refusal, retry_after: Some(wait) }
    }

    pub(super) fn for_another() -> Self {
        let detail = "expected a token that is meant for this broker, got one for another audience".to_owned();
        let remedy = "ask the metadata service for a token with this broker's audience (?audience=)";
        Refusal::new(StatusCode::UNAUTHORIZED, TOKEN, "audience-mismatch", detail, remedy).into()
    }

    pub(super) fn claim_type(claim: &str) -> Self {
        let detail = format!("expected the claim {claim} to be a text of 1 to 255 bytes without control characters");
        let remedy = "have the issuer write it so, or name another claim in the broker's configuration";
        Refusal::new(StatusCode::UNAUTHORIZED, TOKEN, "claim-type", detail, remedy).into()
    }

    pub(super) fn without_identity() -> Self {
        let detail =
            "the token does not say whose it is: neither an instance, nor a machine and a group, nor a subject"
                .to_owned();
        let remedy = "have the broker's configuration name the claims that identify (issuers.<name>.claims)";
        Refusal::new(StatusCode::UNAUTHORIZED, TOKEN, "identity-missing", detail, remedy).into()
    }

    /// The configuration has changed between two looks at it.
    pub(super) fn stranger() -> Self {
        let detail = "expected a token of a trusted issuer".to_owned();
        Refusal::new(StatusCode::UNAUTHORIZED, TOKEN, "issuer-unknown", detail, "send the token of a trusted issuer")
            .into()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, retry_after: None }
    }
}

impl From<BearerError> for Refused {
    fn from(error: BearerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<&VerifyError> for Refused {
    fn from(error: &VerifyError) -> Self {
        Refusal::from(error).into()
    }
}
