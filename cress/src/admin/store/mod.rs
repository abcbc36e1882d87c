// SPDX-License-Identifier: Apache-2.0
//! `cress admin store`: what is done to the database itself, without control's help.

mod backup;
mod copy;
mod migrate;

use std::process::ExitCode;

use clap::Subcommand;

use super::Connection;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy the SQLite database into a file, while control runs or not
    Backup(backup::Arguments),
    /// Show which versions the tables have, and bring them up to date
    Migrate(migrate::Arguments),
    /// Copy everything into another, empty database
    Copy(copy::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection) -> anyhow::Result<ExitCode> {
    match command {
        Command::Backup(arguments) => backup::run(arguments, connection),
        Command::Migrate(arguments) => migrate::run(arguments, connection),
        Command::Copy(arguments) => copy::run(arguments, connection),
    }
}
