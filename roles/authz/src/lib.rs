// SPDX-License-Identifier: Apache-2.0
//! Answers other proxies whether a request may pass: `cress authz`.
//!
//! A proxy asks about each request of its clients (`request` reads what about), the first rule that fits decides (`rules`), and a
//! token is checked offline (`judge`). The answer is 200 with headers that say who asks, or a refusal with its reason. It
//! never lets pass what no rule permits, never passes on what a client says of itself, and never logs a token.

mod config;
mod judge;
mod metrics;
mod request;
mod rules;
mod serve;
mod start;

pub use config::{Access, AccessLog, Config, ConfigError, IssuerConfig, Limits, Metrics, RuleConfig, Token};
pub use start::{Ports, StartError, Started, start};
