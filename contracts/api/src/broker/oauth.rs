// SPDX-License-Identifier: Apache-2.0
//! The token exchange (RFC 8693) and where it is (RFC 8414).

use std::borrow::Cow;
use std::fmt;

use cress_domain::LeaseId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The only grant type (RFC 8693 section 2.1).
pub const TOKEN_EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What is given out (RFC 8693 section 3).
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What is taken: a JWT (RFC 8693 section 3).
pub const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Form of `POST /oauth/token`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenRequest {
    /// [`TOKEN_EXCHANGE_GRANT`].
    pub grant_type: String,
    /// The caller's token.
    pub subject_token: String,
    /// [`JWT_TYPE`].
    pub subject_token_type: String,
    /// The name of a credential. Never another service: the caller has no choice but among what is configured.
    pub audience: String,
    /// [`ACCESS_TOKEN_TYPE`], if it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_token_type: Option<String>,
}

/// Answer of `POST /oauth/token` (RFC 8693 section 2.2.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenAnswer {
    /// The credential.
    pub access_token: String,
    /// [`ACCESS_TOKEN_TYPE`].
    pub issued_token_type: Cow<'static, str>,
    /// `Bearer`.
    pub token_type: Cow<'static, str>,
    /// Its life, in seconds.
    pub expires_in: u64,
    /// Its lease, with which the caller can revoke it.
    #[schemars(with = "String")]
    pub lease_id: LeaseId,
}

/// Why there is none (RFC 6749 section 5.2, RFC 8693 section 2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OAuthError {
    /// The error's registered name.
    pub error: Cow<'static, str>,
    /// What was expected, what came, and what to do.
    pub error_description: String,
}

/// Where the token endpoint is, and what it takes (RFC 8414 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationServer {
    /// The broker's own issuer.
    pub issuer: String,
    /// The URL of [`super::paths::TOKEN`].
    pub token_endpoint: String,
    /// The URL of [`super::paths::JWKS`].
    pub jwks_uri: String,
    /// [`TOKEN_EXCHANGE_GRANT`] alone.
    pub grant_types_supported: Vec<Cow<'static, str>>,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<Cow<'static, str>>,
    /// `none`: the subject token is all that is looked at.
    pub token_endpoint_auth_methods_supported: Vec<Cow<'static, str>>,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenRequest").field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenAnswer").field("lease_id", &self.lease_id).finish_non_exhaustive()
    }
}
