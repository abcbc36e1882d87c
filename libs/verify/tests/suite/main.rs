// SPDX-License-Identifier: Apache-2.0
//! The verifier against real key set servers and files.
#![expect(clippy::unwrap_used, reason = "the support code of tests fails the test at once")]

mod abuse;
mod ages;
mod discovered;
mod emergencies;
#[cfg(feature = "axum")]
mod examples;
mod files;
mod jwks_server;
mod layer;
mod reader;
mod refused;
mod replays;
mod rotation;
mod sources;
mod storms;
mod support;
mod tls;
