// SPDX-License-Identifier: Apache-2.0
//! Limits that more than one crate must agree on. A limit that only one crate knows stands in that crate.

/// Longest name of an organization, project or container group (the reference platform's pattern).
pub const NAME_BYTES_MAX: usize = 63;
/// Longest audience.
pub const AUDIENCE_BYTES_MAX: usize = 255;
/// Longest issuer URL.
pub const ISSUER_BYTES_MAX: usize = 512;
/// Longest `kid`.
pub const KEY_ID_BYTES_MAX: usize = 255;
/// Longest default token: the published SDKs refuse a longer one.
pub const DEFAULT_TOKEN_BYTES_MAX: usize = 1_000;
/// Longest token that any part of cress looks at.
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// Life of a token where nothing else is said.
pub const TOKEN_TTL_SECONDS_DEFAULT: u32 = 300;
/// Shortest life of a token.
pub const TOKEN_TTL_SECONDS_MIN: u32 = 60;
/// Longest life of a token.
pub const TOKEN_TTL_SECONDS_MAX: u32 = 3_600;
/// Audiences on a container group's allow-list.
pub const ALLOWED_AUDIENCES_MAX: usize = 16;
/// Extra claims a container group may define.
pub const EXTRA_CLAIMS_MAX: usize = 16;
/// Replicas of a container group (the reference platform's bound).
pub const REPLICAS_MAX: u32 = 500;
/// Tokens asked for in one call of the node protocol.
pub const ISSUE_BATCH_MAX: usize = 1_000;
