// SPDX-License-Identifier: Apache-2.0
//! What the end-to-end tests share: the built binary as processes, their ports and directories, and the tools that
//! `cargo xtask test` installs. It starts what a user would start, and ends only what it started.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test's harness fails the test at once, and waits in real time"
)]

mod echo;
mod faults;
mod http;
mod ports;
mod process;
mod proxies;
mod replica;
mod roles;
mod stack;
mod tools;
mod wait;
mod wire;

pub use echo::{Echo, Echoed};
pub use faults::Faults;
pub use http::{Answer, get, get_token, send, send_bytes, send_target};
pub use ports::base_port;
pub use process::{Finished, Program, cress, program};
pub use proxies::{Proxy, ProxyFiles, ProxyKind};
pub use replica::Replica;
pub use roles::{Control, Node};
pub use stack::{Stack, Up};
pub use tools::{node_modules, node_modules_guides, python_a4, python_a6, python_guides, repository};
pub use wait::{eventually, eventually_for};
pub use wire::Wire;
