// SPDX-License-Identifier: Apache-2.0
//! `cress admin store backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cress_store::{Backup, DatabaseUrl};
use serde_json::json;

use super::Connection;
use crate::output::{self, Format};
use crate::{control, runtime};

/// Copy the SQLite database into a file, while control runs or not.
///
/// The copy is one consistent state, readable by its owner alone, and checked after it was written. It holds no private key that could
/// be read without the key-encryption key, which is not in it: keep that elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress admin --data-dir /var/lib/cress store backup --to /backup/cress-monday.db
  cress admin store backup --config /etc/cress/control.toml --to /backup/cress-monday.db

Nothing is replaced: the file must not exist. PostgreSQL is backed up with pg_dump. To restore: docs/backup-and-restore.md.")]
pub(in crate::admin) struct Arguments {
    /// File that the copy is written to
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Control's settings, if the database does not lie in the data directory; --data-dir does not count then
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    let data_dir = arguments.config.is_none().then(|| connection.data_dir.clone());
    let url = control::Arguments::located(arguments.config.clone(), data_dir).load()?.database_url()?;
    let made = runtime::of_command()?.block_on(Backup::make(&url, &arguments.to))?;
    match Format::of(connection.json) {
        Format::Json => output::json(&json!({"file": made.path, "bytes": made.bytes}))?,
        Format::Human => output::line(told(&url, &made))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn told(url: &DatabaseUrl, made: &Backup) -> String {
    format!("{url} is copied to {} ({} bytes) and the copy is whole", made.path.display(), made.bytes)
}
