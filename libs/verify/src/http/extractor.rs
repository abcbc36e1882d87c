// SPDX-License-Identifier: Apache-2.0
//! The verified token as an argument of axum's handlers.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::{Refusal, VerifiedToken};

/// The claims that [`super::BearerLayer`] has verified.
///
/// ```
/// use cress_verify::http::BearerToken;
///
/// async fn whoami(BearerToken(claims): BearerToken) -> String {
///     claims.subject().unwrap_or("nobody").to_owned()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct BearerToken(pub VerifiedToken);

/// The route is not under a [`super::BearerLayer`]. The request is answered with 500, so that the mistake lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the route to be under a BearerLayer, which verifies tokens, but it is not")]
pub struct LayerMissing;

impl<S: Sync> FromRequestParts<S> for BearerToken {
    type Rejection = LayerMissing;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, LayerMissing> {
        parts.extensions.get::<VerifiedToken>().cloned().map(Self).ok_or(LayerMissing)
    }
}

/// For handlers that decide by themselves, with the realm `workloads`.
///
/// ```
/// use cress_verify::ClaimPolicy;
/// use cress_verify::http::{BearerToken, Refusal};
///
/// fn policy_of(project: &str) -> ClaimPolicy {
/// #   let _ = project;
///     // ...
/// #   ClaimPolicy::deny_all()
/// }
///
/// async fn project(BearerToken(claims): BearerToken) -> Result<&'static str, Refusal> {
///     if policy_of("reports").permits(&claims) { Ok("welcome") } else { Err(Refusal::not_permitted()) }
/// }
/// ```
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Self::into_response(self, super::layer::REALM_DEFAULT)
    }
}

impl IntoResponse for LayerMissing {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
