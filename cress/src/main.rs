// SPDX-License-Identifier: Apache-2.0
//! The command line of cress: parses, loads configuration, chooses adapters, starts roles. What a role does is in its own
//! crate; what is printed goes through `output`.

mod admin;
mod audit;
mod authz;
mod broker;
mod cli;
mod config;
mod control;
mod core_dumps;
mod credential;
#[cfg(target_os = "linux")]
mod doctor;
#[cfg(all(debug_assertions, unix))]
mod faults;
mod jwks;
mod leases;
mod logging;
#[cfg(target_os = "linux")]
mod node;
mod output;
mod policy;
mod reference;
mod runtime;
mod token;
#[cfg(target_os = "linux")]
mod up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[cfg(all(debug_assertions, unix))]
    faults::arm();
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
