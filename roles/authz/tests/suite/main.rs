// SPDX-License-Identifier: Apache-2.0
//! The authorization service over its sockets, with an issuer of the test's own.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails at once")]

mod answers;
mod headers;
mod policies;
mod reloads;
mod support;
