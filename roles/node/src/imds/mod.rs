// SPDX-License-Identifier: Apache-2.0
//! The instance metadata service: what one instance can ask about itself, over plain HTTP at an address that only it can
//! reach.
//!
//! A request goes through `server` (accept, connection limits), `connection` and `guard` (time, unparsable input),
//! `rules` (headers that every request must or must not have), `route` (paths and methods), `body`, and at last the
//! [`Backend`]. Every refusal is listed in `refusal` and goes out as `application/problem+json`.
//!
//! What it never does: trust a header or a source address to tell whose request it is (each instance has a listener of its
//! own), wait for the network when memory has an answer, redirect, or allow a browser to read an answer.
//!
//! HTTP/1.1 and 1.0 are served, both with exactly one `Host`; HTTP/2 with prior knowledge and other versions get 505.

mod answer;
mod backend;
mod body;
mod connection;
mod exchange;
mod guard;
pub mod limits;
mod rate;
mod refusal;
mod route;
mod rules;
mod server;
mod service;
mod statistics;

pub use backend::{Backend, BackendError, TokenAnswer, TokenBody};
pub use limits::Limits;
pub use server::{Server, ServerError};
pub use statistics::{Counts, Statistics};
