// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in the admin API, as problems that say what to do.

use axum::response::{IntoResponse, Response};
use cress_api::Problem;
use cress_service::problem::{ProblemResponse, internal_error, with_retry_after};
use cress_store::StoreError;

/// When to come again after a failure that may pass.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request of the admin API is not done.
#[derive(Debug)]
pub(super) enum AdminError {
    /// The caller can do something about it.
    Refused(Box<Problem>),
    /// The store says no, or fails.
    Store(StoreError),
    /// Something inside fails; the caller is told no more than that.
    Internal(String),
}

/// In the extensions of an answer that says that the store failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreFailed;

impl AdminError {
    /// The cause goes to the log alone.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }
}

/// Says of what still has children how it was called: the store knows its id alone.
pub(super) fn called(error: StoreError, what: String) -> StoreError {
    match error {
        StoreError::InUse { children, .. } => StoreError::InUse { what, children },
        error => error,
    }
}

impl From<Problem> for AdminError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<Box<Problem>> for AdminError {
    fn from(problem: Box<Problem>) -> Self {
        Self::Refused(problem)
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
            Self::Store(error) => of_store(&error),
            Self::Internal(cause) => {
                tracing::error!(cause, "a request of the admin API failed");
                ProblemResponse(internal_error()).into_response()
            }
        }
    }
}

fn of_store(error: &StoreError) -> Response {
    let text = error.to_string();
    match error {
        StoreError::NotFound { .. } => refused(
            Problem::new(404, "not-found", "Not Found")
                .with_detail(format!("{text}; see what there is with `cress admin`")),
        ),
        StoreError::Conflict { .. } => refused(name_taken(&text)),
        StoreError::InUse { .. } => refused(Problem::new(409, "in-use", "Conflict").with_detail(text)),
        StoreError::Outdated { .. } => refused(Problem::new(409, "changed-meanwhile", "Conflict").with_detail(text)),
        StoreError::Temporary { .. } => {
            tracing::warn!(%error, "the store does not answer the admin API");
            let problem = Problem::new(503, "store-unavailable", "Service Unavailable");
            failed(with_retry_after(problem.with_detail(format!("{text}; try again")), RETRY_AFTER_SECONDS))
        }
        StoreError::Permanent { .. } => {
            tracing::error!(%error, "the store fails");
            failed(refused(Problem::new(500, "store-failed", "Internal Server Error").with_detail(text)))
        }
    }
}

fn name_taken(text: &str) -> Problem {
    Problem::new(409, "name-taken", "Conflict")
        .with_detail(format!("{text}; choose another name, or use what is there"))
        .with_error("name", "is taken")
}

fn refused(problem: Problem) -> Response {
    ProblemResponse(problem).into_response()
}

fn failed(mut response: Response) -> Response {
    response.extensions_mut().insert(StoreFailed);
    response
}
