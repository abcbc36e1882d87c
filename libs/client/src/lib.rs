// SPDX-License-Identifier: Apache-2.0
//! Typed clients of what cress serves over HTTP: control's admin API, and an instance's metadata service.
//!
//! They retry nothing by themselves, follow no redirect and use no proxy: both services are on the same machine. No answer's
//! body ends up in an error, except problem details, which hold no secret.

mod admin;
mod error;
mod imds;
mod response;

pub use admin::AdminClient;
pub use error::ClientError;
pub use imds::ImdsClient;
