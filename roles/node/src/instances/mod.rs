// SPDX-License-Identifier: Apache-2.0
//! The instances of this node: which there are, and who tells each what is wanted of it.
//!
//! Control's word is the only source of what runs here. While control is away nothing changes. What happens within an
//! instance is its own task's business (`life`); nothing here waits for one.

mod assignment;
mod backend;
mod condition;
mod context;
mod life;
mod notes;
mod orders;
mod place;
mod ports;
mod probes;
mod reports;
mod restart;
mod table;

pub(crate) use assignment::Assignment;
pub use condition::{InstanceState, InstanceSummary};
pub(crate) use context::{Context, Parts};
pub(crate) use table::Instances;
