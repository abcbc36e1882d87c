// SPDX-License-Identifier: Apache-2.0
//! The refusals that are no fault of the token. None says what a rule asks for: that would tell a stranger whom to imitate.

pub(super) use cress_verify::http::Refusal;
use http::StatusCode;

use crate::request::AskedError;
use crate::rules::HeaderError;

const SCOPE: Option<&str> = Some("insufficient_scope");

pub(super) fn no_rule() -> Refusal {
    let detail = "nothing is permitted here".to_owned();
    let remedy = "have a rule made for this host, path and method";
    Refusal::new(StatusCode::FORBIDDEN, SCOPE, "no-rule", detail, remedy)
}

pub(super) fn denied() -> Refusal {
    let detail = "nothing is permitted here".to_owned();
    let remedy = "have the rule for this host, path and method changed";
    Refusal::new(StatusCode::FORBIDDEN, SCOPE, "denied", detail, remedy)
}

pub(super) fn not_permitted() -> Refusal {
    Refusal::not_permitted()
}

pub(super) fn claim_too_long(error: HeaderError) -> Refusal {
    let remedy = "shorten the claim, or pass another one on as a header";
    Refusal::new(StatusCode::FORBIDDEN, SCOPE, "claim-too-long", error.to_string(), remedy)
}

pub(super) fn not_understood(error: AskedError) -> Refusal {
    Refusal::new(AskedError::status(), Some("invalid_request"), error.code(), error.to_string(), error.remedy())
}

pub(super) fn by_policy(decision: &cress_policy::Decision) -> Refusal {
    let mut refusal = Refusal::not_permitted();
    refusal.code = decision.why().code();
    refusal
}
