// SPDX-License-Identifier: Apache-2.0
//! The provider at real servers: Redis and Valkey, alone, with Sentinels and as a Cluster.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod finding;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod persistence;
#[cfg(test)]
mod sentinel;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod site;
#[cfg(test)]
mod tls;
