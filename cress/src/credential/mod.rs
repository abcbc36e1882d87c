// SPDX-License-Identifier: Apache-2.0
//! `cress credential`: what a workload asks the broker for, for applications that speak no HTTP to it themselves.

mod get;
mod wanted;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get a credential from the broker, with the token of this instance
    Get(get::Arguments),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Get(arguments) => get::run(arguments),
    }
}
