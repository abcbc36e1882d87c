// SPDX-License-Identifier: Apache-2.0
//! Bearer tokens over HTTP (RFC 6750): where they stand in a request, and what is answered to those that do not pass.
//!
//! A token is looked for in one `Authorization` header and nowhere else: in a query it would end up in logs.

mod bearer;
#[cfg(feature = "axum")]
mod extractor;
mod layer;
mod refusal;

pub use bearer::{BearerError, bearer_token};
#[cfg(feature = "axum")]
pub use extractor::{BearerToken, LayerMissing};
pub use layer::{Bearer, BearerLayer, VerifiedToken};
pub use refusal::Refusal;
