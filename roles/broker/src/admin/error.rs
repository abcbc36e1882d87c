// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in the operator's API, as problems that say what to do.

use axum::response::{IntoResponse, Response};
use cress_api::Problem;
use cress_keyring::EnvelopeError;
use cress_service::problem::{ProblemResponse, with_retry_after};
use cress_store::StoreError;

/// When to come again after a failure that may pass.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum AdminError {
    /// The caller can do something about it.
    Refused(Box<Problem>),
    /// The store fails.
    Store(StoreError),
}

impl AdminError {
    pub(super) fn no_lease() -> Self {
        let problem = Problem::new(404, "not-found", "Not Found");
        Self::Refused(Box::new(
            problem.with_detail("there is no such lease, or it was over for so long that it was forgotten"),
        ))
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Problem::new(404, "not-found", "Not Found").with_detail(detail.into())))
    }

    /// What lies in the store cannot be sealed or opened.
    pub(super) fn unopened(error: &EnvelopeError) -> Self {
        let problem = Problem::new(500, "key-encryption", "Internal Server Error");
        Self::Refused(Box::new(problem.with_detail(error.to_string())))
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Problem::new(400, "invalid-request", "Bad Request").with_detail(detail.into())))
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(problem) => ProblemResponse(*problem).into_response(),
            Self::Store(error @ StoreError::Temporary { .. }) => {
                tracing::warn!(%error, "the store does not answer the operator's API");
                let problem = Problem::new(503, "store-unavailable", "Service Unavailable");
                with_retry_after(problem.with_detail(format!("{error}; try again")), RETRY_AFTER_SECONDS)
            }
            Self::Store(error) => {
                tracing::error!(%error, "the store fails");
                let problem = Problem::new(500, "store-failed", "Internal Server Error");
                ProblemResponse(problem.with_detail(error.to_string())).into_response()
            }
        }
    }
}
