// SPDX-License-Identifier: Apache-2.0
//! The broker's API: HTTP and JSON for workloads, who show their token as `Authorization: Bearer`; a token exchange after RFC 8693; and an
//! API on a Unix socket for its operator. Errors are problem+json, but for the token exchange's.

mod credentials;
mod leases;
mod oauth;
mod operator;
mod secrets;

pub use credentials::{IssueRequest, IssuedCredential, Offer, Revocation};
pub use leases::{Lease, LeaseStatus, RenewRequest, RenewedLease};
pub use oauth::{
    ACCESS_TOKEN_TYPE, AuthorizationServer, JWT_TYPE, OAuthError, TOKEN_EXCHANGE_GRANT, TokenAnswer, TokenRequest,
};
pub use operator::{
    EndedInstances, OperatorLease, ReleaseTarget, ReleasedTarget, RevokeLeases, RevokedLeases, StuckTarget,
    operator_paths,
};
pub use secrets::{PutSecret, StoredSecretVersion, WhichSecret};

/// File name of the operator's socket in the broker's data directory.
pub const SOCKET_FILE: &str = "broker.sock";

/// The header that makes a request for a credential repeatable (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Paths of the API for workloads. `{...}` stand for one segment.
pub mod paths {
    /// `GET`: what the caller may have.
    pub const CREDENTIALS: &str = "/v1/credentials";
    /// `POST` [`super::IssueRequest`] -> [`super::IssuedCredential`].
    pub const CREDENTIAL: &str = "/v1/credentials/{name}";
    /// `GET`: the caller's leases.
    pub const LEASES: &str = "/v1/leases";
    /// `DELETE`: ends a lease.
    pub const LEASE: &str = "/v1/leases/{id}";
    /// `POST` [`super::RenewRequest`] -> [`super::RenewedLease`].
    pub const LEASE_RENEW: &str = "/v1/leases/{id}/renew";
    /// `POST`, a form ([`super::TokenRequest`]) -> [`super::TokenAnswer`].
    pub const TOKEN: &str = "/oauth/token";
    /// `GET` [`super::AuthorizationServer`] (RFC 8414).
    pub const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    /// `GET`: OpenID Connect Discovery of the broker's own issuer.
    pub const DISCOVERY: &str = "/.well-known/openid-configuration";
    /// `GET`: the keys of the broker's own issuer.
    pub const JWKS: &str = "/.well-known/jwks.json";
    /// `GET`: this API in OpenAPI 3.1.
    pub const OPENAPI: &str = "/openapi.json";
    /// `GET`: whether the process answers.
    pub const HEALTH: &str = "/healthz";
    /// `GET`: whether credentials can be given out.
    pub const READINESS: &str = "/readyz";
}
