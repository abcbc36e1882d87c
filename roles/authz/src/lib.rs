// SPDX-License-Identifier: Apache-2.0
//! Answers other proxies whether a request may pass: `cress authz`.
//!
//! A proxy asks about each request of its clients (`request` reads what about), the first rule that fits decides (`rules`), and a
//! token is checked offline (`judge`). The answer is 200 with headers that say who asks, or a refusal with its reason. It
//! never lets pass what no rule permits, never passes on what a client says of itself, and never logs a token.

mod check_token;
mod config;
mod grpc;
mod judge;
mod metrics;
mod rehearsal;
mod reload;
mod request;
mod rules;
mod serve;
mod start;
mod warnings;

pub use check_token::check_token;
pub use config::{
    Access, AccessLog, Config, ConfigError, Grpc, IssuerConfig, Limits, Metrics, PolicyClaim, PolicyClaimType,
    RuleConfig, Token, policy_schema,
};
pub use rehearsal::{Case, CaseRequest, Expectation, Explanation, Outcome, Rehearsal};
pub use reload::Reload;
pub use rules::{IdentityHeaderError, check_identity_header};
pub use start::{Ports, StartError, Started, start};
