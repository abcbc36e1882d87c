// SPDX-License-Identifier: Apache-2.0
//! `cress audit`: looks at the broker's records, and after the keys that vouch for them. It changes no record.

mod files;
mod keys;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look whether records are as they were written
    Verify(verify::Arguments),
    /// Print the public keys that vouch for records
    Keys(keys::Keys),
    /// Make another key that signs records
    RotateKey(keys::RotateKey),
    /// Seal the keys of the records under another key-encryption key
    ResealKeys(keys::ResealKeys),
    /// Print a token or secret as the records have it
    Hash(keys::Hash),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify::run(arguments),
        Command::Keys(arguments) => keys::keys(arguments),
        Command::RotateKey(arguments) => keys::rotate_key(arguments),
        Command::ResealKeys(arguments) => keys::reseal_keys(arguments),
        Command::Hash(arguments) => keys::hash(arguments),
    }
}
