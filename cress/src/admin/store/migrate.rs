// SPDX-License-Identifier: Apache-2.0
//! `cress admin store migrate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use cress_store::{Database, DatabaseOptions, Migrations, ModuleVersion, migrate_all, versions};
use serde::Serialize;

use super::Connection;
use crate::output::{self, Format};
use crate::{control, runtime};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress admin store migrate --check --config /etc/cress/control.toml
  cress admin store migrate --apply --config /etc/cress/control.toml

With --check the exit code is 1 if a migration is pending. Before --apply, make a backup, and stop every control of an
older version: it may not be able to use the new tables.")]
pub(in crate::admin) struct Arguments {
    /// Control's settings, which say where the database is
    #[arg(long, value_name = "FILE", env = "CRESS_CONTROL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Only show the versions
    #[arg(long)]
    check: bool,
    /// Carry out what is pending
    #[arg(long)]
    apply: bool,
}

/// A module's tables, as JSON has them.
#[derive(Serialize)]
struct Shown {
    module: &'static str,
    version: i64,
    latest: i64,
    pending: Vec<i64>,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    let shown = runtime::of_command()?.block_on(carry_out(arguments, connection))?;
    let pending = shown.iter().any(|module| !module.pending.is_empty());
    match Format::of(connection.json) {
        Format::Json => output::json(&shown)?,
        Format::Human => {
            output::table(["TABLES", "VERSION", "LATEST"], &shown.iter().map(row).collect::<Vec<_>>())?;
            if pending {
                output::note("migrations are pending: cress admin store migrate --apply");
            }
        }
    }
    Ok(if pending { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn carry_out(arguments: &Arguments, connection: &Connection) -> anyhow::Result<Vec<Shown>> {
    let database = open(arguments, &connection.data_dir).await?;
    if arguments.what.apply {
        migrate_all(&database).await?;
    }
    let shown = versions(&database).await?.into_iter().map(shown).collect();
    database.close().await;
    Ok(shown)
}

async fn open(arguments: &Arguments, data_dir: &Path) -> anyhow::Result<Database> {
    // A file says itself where control keeps its state.
    let flag = arguments.config.is_none().then(|| data_dir.to_owned());
    let config = control::Arguments::located(arguments.config.clone(), flag).load()?;
    config.check()?;
    let (url, options) = cress_control::database_of(&config)?;
    if let Some(file) = url.file() {
        anyhow::ensure!(
            file.exists(),
            "there is no database at {}; control makes one, with all tables, at its first start",
            file.display()
        );
    }
    Ok(Database::open_with(&url, DatabaseOptions { migrations: Migrations::Refuse, ..options }).await?)
}

fn shown(version: ModuleVersion) -> Shown {
    let ModuleVersion { module, found, known } = version;
    Shown { module, version: found, latest: known, pending: (found + 1..=known).collect() }
}

fn row(module: &Shown) -> [String; 3] {
    [module.module.to_owned(), module.version.to_string(), module.latest.to_string()]
}
