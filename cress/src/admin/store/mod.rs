// SPDX-License-Identifier: Apache-2.0
//! `cress admin store`: what is done to the database itself, without control's help.

mod backup;

use std::process::ExitCode;

use clap::Subcommand;

use super::Connection;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy the SQLite database into a file, while control runs or not
    Backup(backup::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection) -> anyhow::Result<ExitCode> {
    match command {
        Command::Backup(arguments) => backup::run(arguments, connection),
    }
}
