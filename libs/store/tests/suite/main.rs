// SPDX-License-Identifier: Apache-2.0
//! The store as its callers see it: one conformance suite for every engine, and what only one engine can suffer from.

#[cfg(test)]
mod backup;
#[cfg(test)]
#[cfg(all(unix, debug_assertions))]
mod batches;
#[cfg(test)]
mod broker_speed;
#[cfg(test)]
#[cfg(unix)]
mod child;
#[cfg(test)]
mod conformance;
#[cfg(test)]
#[cfg(unix)]
mod copy;
#[cfg(test)]
#[cfg(unix)]
mod crash;
#[cfg(test)]
#[cfg(unix)]
mod faults;
#[cfg(test)]
#[cfg(unix)]
mod postgres;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod support;
