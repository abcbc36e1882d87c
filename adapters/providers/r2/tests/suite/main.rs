// SPDX-License-Identifier: Apache-2.0
//! The provider from outside.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails at once")]

mod conformance;
mod sdk;
mod support;
