// SPDX-License-Identifier: Apache-2.0
//! Wire shapes and paths: what crosses a process boundary, and nothing of how it gets there.

pub mod admin;
pub mod broker;
pub mod endpoints;
pub mod imds;
pub mod join_token;
pub mod node_protocol;
mod problem;

pub use problem::{PROBLEM_JSON, Problem};
