// SPDX-License-Identifier: Apache-2.0
//! Typed clients of what cress serves over HTTP: control's admin API, an instance's metadata service, and the broker.
//!
//! They retry nothing by themselves and follow no redirect, and what is on this machine they reach past every proxy. No answer's body ends
//! up in an error, except problem details, which hold no secret.

mod admin;
mod broker;
mod error;
mod imds;
mod path;
mod response;

pub use admin::AdminClient;
pub use broker::{BrokerAdminClient, BrokerClient};
pub use error::ClientError;
pub use imds::ImdsClient;
