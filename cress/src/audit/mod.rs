// SPDX-License-Identifier: Apache-2.0
//! `cress audit`: looks at the broker's records, and after the keys that vouch for them. It changes no record.

mod files;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look whether records are as they were written
    Verify(verify::Arguments),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify::run(arguments),
    }
}
