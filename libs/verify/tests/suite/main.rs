// SPDX-License-Identifier: Apache-2.0
//! The verifier against real key set servers and files.
#![expect(clippy::unwrap_used, reason = "the support code of tests fails the test at once")]

mod ages;
mod files;
mod jwks_server;
mod layer;
mod reader;
mod refused;
mod rotation;
mod sources;
mod storms;
mod support;
mod tls;
