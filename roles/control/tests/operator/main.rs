// SPDX-License-Identifier: Apache-2.0
//! Control as operators and verifiers meet it: a started control in a directory of its own, asked over its real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support code of tests fails the test at once"
)]

mod groups;
mod keys;
mod nodes;
mod placement;
mod publish;
mod refused_starts;
mod restarts;
mod support;
mod tenants;
