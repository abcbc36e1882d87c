// SPDX-License-Identifier: Apache-2.0
//! Why a call has no answer, or not the wanted one.

use cress_api::Problem;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The service refused it, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// Nobody answers there.
    #[error("cannot reach {service} at {address}: {reason}; {remedy}")]
    Unreachable {
        /// What was called, such as `control's admin API`.
        service: &'static str,
        /// Where.
        address: String,
        /// Why, in plain words.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Something answered, but not as the service would.
    #[error("expected an answer of {service} at {address}, got something else: {reason}")]
    Unexpected {
        /// What was called.
        service: &'static str,
        /// Where.
        address: String,
        /// What was wrong.
        reason: String,
    },
}
