// SPDX-License-Identifier: Apache-2.0
//! The product as its users meet it: the built binary, published client libraries, real proxies and programs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails at once, and looks at real clocks"
)]
#![cfg(target_os = "linux")]

mod admin;
mod authz;
mod backup;
mod broker;
mod broker_client;
mod command_line;
mod crashes;
mod doctor;
mod enrolment;
mod examples;
mod fleet_faults;
mod guides;
mod instances;
mod issuers;
mod jwks_sync;
mod key_encryption;
mod key_set_server;
mod outages;
mod platform_clients;
mod postgres;
mod proxies;
mod publishing;
mod replicas;
mod revocation;
mod tokens;
mod up;
mod verifiers;
