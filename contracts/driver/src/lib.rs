// SPDX-License-Identifier: Apache-2.0
//! How an instance is run: the driver trait and its conformance suite.
//!
//! A driver starts and ends what an instance consists of, and nothing else: restart policy, back-off, probes and the
//! metadata service are the agent's. It never sees a token.

#[cfg(feature = "conformance")]
pub mod conformance;
mod driver;
mod error;
mod running;

pub use driver::{Adopted, Driver, ExecOutcome, Launch, Sandbox};
pub use error::{DriverError, DriverErrorKind, Operation};
pub use running::{Exit, ExitSender, Running};
