// SPDX-License-Identifier: Apache-2.0
//! How control says no over gRPC: a code that an agent acts upon, and plain words for whoever reads its log.
//!
//! `UNAVAILABLE` and `RESOURCE_EXHAUSTED` mean "try again later"; the others stay so until someone acts. Nothing of the store's own
//! words goes out: they may name hosts and files.

use cress_store::{StoreError, StoreErrorKind};
use tonic::{Code, Status};

/// The node proved no identity, or one that is over.
pub(crate) fn unauthenticated(why: impl Into<String>) -> Status {
    Status::unauthenticated(why)
}

/// The node is who it says, and may not.
pub(crate) fn denied(why: impl Into<String>) -> Status {
    Status::permission_denied(why)
}

/// The call is malformed.
pub(crate) fn invalid(why: impl Into<String>) -> Status {
    Status::invalid_argument(why)
}

/// Too much, or too often.
pub(crate) fn too_much(why: impl Into<String>) -> Status {
    Status::resource_exhausted(why)
}

/// Control cannot just now.
pub(crate) fn unavailable(why: impl Into<String>) -> Status {
    Status::unavailable(why)
}

/// The store failed; what it said is logged and not told.
pub(crate) fn store_failed(error: &StoreError) -> Status {
    tracing::warn!(%error, "the store failed a node's call");
    match error.kind() {
        StoreErrorKind::NotFound => {
            denied("this node is no longer a member of the fleet; enrol again with a new join token")
        }
        StoreErrorKind::Temporary | StoreErrorKind::Outdated => {
            unavailable("control does not reach its store; try again in a few seconds")
        }
        _ => Status::new(Code::Internal, "control's store failed; its operator finds the reason in control's log"),
    }
}

/// Something failed that no caller can help; what it said is logged and not told.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> Status {
    tracing::error!(%error, "a node's call failed");
    Status::internal("control failed; its operator finds the reason in control's log")
}
