// SPDX-License-Identifier: Apache-2.0
//! Paths and bodies of the instance metadata service, as on the reference platform.

use serde::{Deserialize, Serialize};

/// The address that every instance sees.
pub const ADDRESS: &str = "169.254.169.254:80";
/// `GET`: the instance's token.
pub const TOKEN: &str = "/v1/token";
/// `GET`: the results of the health probes.
pub const STATUS: &str = "/v1/status";
/// `POST`: the instance moves to another node.
pub const REALLOCATE: &str = "/v1/reallocate";
/// `POST`: the instance is made anew on the same node.
pub const RECREATE: &str = "/v1/recreate";
/// `POST`: the same instance starts again.
pub const RESTART: &str = "/v1/restart";
/// `GET`, `PUT`: which instances go first when replicas are scaled down.
pub const DELETION_COST: &str = "/v1/deletion-cost";

/// Answer of `GET /v1/token`.
#[derive(Serialize, Deserialize)]
pub struct Token {
    /// The signed token (JWS compact).
    pub jwt: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// Answer of `GET /v1/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Latest result of the readiness probe; where none is defined, `started`.
    pub ready: bool,
    /// Latest result of the startup probe; `true` where none is defined.
    pub started: bool,
}

/// Answer of `GET` and body of `PUT /v1/deletion-cost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionCost {
    /// The instances with the lowest cost go first; 0 by default.
    pub deletion_cost: i32,
}
