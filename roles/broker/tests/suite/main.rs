// SPDX-License-Identifier: Apache-2.0
//! The broker over its sockets, with an issuer and a target of the test's own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails at once")]

mod admin;
mod callers;
mod grants;
mod leases;
mod oauth;
mod policies;
mod reloads;
mod support;
mod target;
