// SPDX-License-Identifier: Apache-2.0
//! The token cache: a checked token for each instance and audience in use, in memory before anyone asks for it.
//!
//! [`TokenCache`] is one for the agent, [`InstanceTokens`] one for each instance. Metadata services read from the latter;
//! the only task, [`TokenCache::run`], asks control for what is due, in batches for all instances together, through a
//! [`TokenSource`]. What comes back is checked (`check`) and only then served. When a token is due is decided by `pace`
//! and kept by `queue`; what one may be answered is decided by `state`.
//!
//! Time is monotonic and runs on while the machine sleeps: a node's wall clock is often wrong and is never read here.
//! Control's own time, which comes with each answer, tells how long a token still lives.
//!
//! What it never does: serve a token that was not checked or that has expired, wait for control when a token in memory is
//! still good, keep a token over a restart or past the instance's end, or write one to a log.

mod cache;
mod check;
mod fetch;
mod identity;
mod instance;
pub mod limits;
mod metrics;
mod pace;
mod queue;
mod slot;
mod source;
mod state;

#[cfg(test)]
mod tests;

pub use cache::TokenCache;
pub use identity::InstanceIdentity;
pub use instance::InstanceTokens;
pub use metrics::TokenMetrics;
pub use source::{Batch, IssuedToken, Refusal, SourceError, TokenRequest, TokenSource};
