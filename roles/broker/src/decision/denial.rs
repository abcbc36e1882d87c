// SPDX-License-Identifier: Apache-2.0
//! Why someone does not get what he asks for. None says what a policy asks for: that would tell a stranger whom to imitate.

use cress_api::Problem;
use cress_policy::Decision;

/// A denial, as the caller sees it, and what records have besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) problem: Box<Problem>,
    /// The stable code in records: it may tell more than the answer.
    pub(crate) code: &'static str,
    /// The same in words.
    pub(crate) detail: String,
    /// The policies that decided.
    pub(crate) policies: Vec<String>,
}

const NOT_PERMITTED: &str =
    "there is no credential of this name that you may have; GET /v1/credentials lists those that there are";

impl Denial {
    /// No such credential. The answer is that of one that is not permitted, so that nobody learns which there are.
    pub(super) fn not_permitted() -> Self {
        Self::forbidden("credential-unknown", "no credential has this name".to_owned(), Vec::new())
    }

    pub(super) fn by_policy(decision: &Decision) -> Self {
        Self::forbidden(decision.why().code(), decision.why().to_string(), decision.decided_by().to_vec())
    }

    pub(super) fn without_group() -> Self {
        let detail = "the credential is shared by a container group, and the token names none".to_owned();
        Self::forbidden("group-missing", detail, Vec::new())
    }

    pub(super) fn ttl(max: u32) -> Self {
        let problem = bad_request("ttl-out-of-bounds").with_error("ttl_seconds", format!("expected 1 to {max}"));
        Self::bad("ttl-out-of-bounds", problem)
    }

    pub(super) fn parameter(name: &str, message: &str) -> Self {
        // Of the caller's own word no more is repeated than a name can have.
        let name: String = name.chars().take(64).filter(|char| !char.is_control()).collect();
        let problem = bad_request("parameter-refused").with_error(format!("parameters.{name}"), message);
        Self::bad("parameter-refused", problem)
    }

    fn forbidden(code: &'static str, detail: String, policies: Vec<String>) -> Self {
        let problem = Problem::new(403, "credential-not-permitted", "Forbidden").with_detail(NOT_PERMITTED);
        Self { problem: Box::new(problem), code, detail, policies }
    }

    fn bad(code: &'static str, problem: Problem) -> Self {
        Self { detail: problem.to_string(), problem: Box::new(problem), code, policies: Vec::new() }
    }
}

fn bad_request(code: &'static str) -> Problem {
    Problem::new(400, code, "Bad Request").with_detail("the request is not what was expected; see errors")
}
