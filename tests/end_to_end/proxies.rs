// SPDX-License-Identifier: Apache-2.0
//! Services behind real proxies, configured by `cress config emit`: one table of tokens and requests, the same answers everywhere.

mod emitted;
mod guides;
mod kubernetes;
mod layer;
mod rotation;
mod setting;
mod table;
mod targets;
mod trailers;
mod ways;
