// SPDX-License-Identifier: Apache-2.0
//! The issuer: fleet, enrolment, placement, key ring, publishing.
//!
//! Control decides which instance runs where, gives nodes their certificates and signs the tokens of the instances that it
//! has placed. It serves three doors, each on a listener of its own: the public one (keys and discovery, for anyone), the
//! node protocol (gRPC over mutual TLS) and the admin API (a Unix socket for its owner alone). It never signs a token for
//! an instance that is not placed on the node that asks.

mod admin;
mod ca;
mod clock_trust;
mod config;
mod enrolment;
mod fleet;
#[cfg(fuzzing)]
pub mod fuzzing;
mod housekeeping;
mod inspection;
mod issue;
mod kek;
mod metrics;
mod node_api;
mod placement;
mod ports;
mod publish;
mod start;

pub use clock_trust::ClockOff;
pub use config::{
    Authorities, BaseUrl, BaseUrlError, Config, ConfigError, KeyEncryption, MetricsListener, NodeApi, NodeApiLimits,
    PublicLimits, Schedule, Store,
};
pub use inspection::{InspectedAuthority, inspect_authorities};
pub use ports::Ports;
pub use start::{StartError, Started, database_of, start};
