// SPDX-License-Identifier: Apache-2.0
//! Real Redis and Valkey servers to be thrown away: alone ([`RedisServer`]), with Sentinels ([`SentinelSetup`]) and as a Cluster
//! ([`ClusterSetup`]). Each has a directory and a port of its own, and ends with the process that started it, however that ends.
//! `cargo xtask tools` installs the programs.

mod cluster;
mod sentinel;
mod server;
mod supervisor;

pub use cluster::ClusterSetup;
pub use sentinel::{MASTER_NAME, SentinelSetup};
pub use server::{Accounts, Flavour, PASSWORD, RedisServer};

#[cfg(test)]
mod tests;
