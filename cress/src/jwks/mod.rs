// SPDX-License-Identifier: Apache-2.0
//! `cress jwks`: key sets for programs that cannot fetch them.

mod disk;
mod file_name;
mod files;
mod follow;
mod pem_dir;
mod reload;
mod render;
mod signer;
mod sync;
mod target;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Logging;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep files with an issuer's keys up to date, for programs that cannot fetch or choose keys
    Sync(sync::Arguments),
}

pub(crate) fn run(command: &Command, logs: &Logging) -> anyhow::Result<ExitCode> {
    match command {
        Command::Sync(arguments) => sync::run(arguments, logs),
    }
}
