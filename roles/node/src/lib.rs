// SPDX-License-Identifier: Apache-2.0
//! The agent: runs instances and serves each its metadata service.
//!
//! It joins a fleet once (`membership`), keeps a link to control (`link`), runs what control places here through a driver
//! (`instances`), and holds a fresh token for each instance (`tokens`), which the metadata service (`imds`) hands out. It
//! never decides what runs here, never signs anything, and never shows one instance anything of another.

mod backoff;
mod config;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod imds;
mod instances;
mod link;
mod membership;
mod metrics;
#[cfg(target_os = "linux")]
pub mod netns;
mod start;
pub mod tokens;

pub use config::{Config, ConfigError, Control, Imds, Metrics};
pub use instances::{InstanceState, InstanceSummary};
pub use membership::{MembershipError, needs_join_token};
pub use start::{Ports, StartError, Started, start};
