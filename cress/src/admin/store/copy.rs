// SPDX-License-Identifier: Apache-2.0
//! `cress admin store copy`.

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use cress_domain::Clock;
use cress_service::SystemClock;
use cress_service::secret_source::SecretSource;
use cress_store::copy::{CopiedTable, copy};
use cress_store::{Database, DatabaseOptions, DatabaseUrl, Migrations, Network};
use serde::Serialize;

use super::Connection;
use crate::output::{self, Format};
use crate::runtime;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress admin store copy --from sqlite:/var/lib/cress/control.db \\
      --to 'postgres://cress@db.example/cress?sslrootcert=/etc/cress/db-ca.pem' --to-password-from file:/etc/cress/db-password

Stop every control of the source first: what it writes later would be lost, so a source that is in use, or that changes
meanwhile, is not copied. Everything is copied in one transaction and compared before it counts, or nothing is: if it is cut
off, give the same command again. A file is made; a PostgreSQL database must exist. Either must be empty.
Private keys stay encrypted as they are: the controls of the target need the same key-encryption keys.")]
pub(in crate::admin) struct Arguments {
    /// The database to read
    #[arg(long, value_name = "URL", value_parser = unjudged::<DatabaseUrl>)]
    from: Unjudged<DatabaseUrl>,
    /// The empty database to write
    #[arg(long, value_name = "URL", value_parser = unjudged::<DatabaseUrl>)]
    to: Unjudged<DatabaseUrl>,
    /// Where the password of the one comes from: file:<path>, env:<variable> or credential:<name>
    #[arg(long, value_name = "SOURCE", value_parser = unjudged::<SecretSource>)]
    from_password_from: Option<Unjudged<SecretSource>>,
    /// Where the password of the other comes from
    #[arg(long, value_name = "SOURCE", value_parser = unjudged::<SecretSource>)]
    to_password_from: Option<Unjudged<SecretSource>>,
    /// Nobody can read along or answer on the way to either: do what the URLs say about TLS
    #[arg(long)]
    private_network: bool,
}

/// What was copied, as JSON has it.
#[derive(Serialize)]
struct Shown<'a> {
    table: &'a str,
    rows: u64,
    sha256_sum: String,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    runtime::of_command()?.block_on(carry_out(arguments, Format::of(connection.json)))
}

async fn carry_out(arguments: &Arguments, format: Format) -> anyhow::Result<ExitCode> {
    let from = arguments.from.judge("--from")?;
    let from = with_password(from, arguments.from_password_from.as_ref(), "--from-password-from")?;
    let to = with_password(arguments.to.judge("--to")?, arguments.to_password_from.as_ref(), "--to-password-from")?;
    if let Some(file) = from.file() {
        anyhow::ensure!(file.exists(), "there is no database at {}", file.display());
    }
    let network = if arguments.private_network { Network::Private } else { Network::Untrusted };
    let options = DatabaseOptions { migrations: Migrations::Refuse, network, ..DatabaseOptions::default() };
    let (source, target) = (Database::open_with(&from, options).await?, Database::open_with(&to, options).await?);
    let copied = copy(&source, &target, SystemClock::new().now(), progress).await;
    source.close().await;
    target.close().await;
    print(&copied?, format)?;
    output::note(format!(
        "{to} holds all of it; set store.url to it, and key_encryption.keys to the key-encryption keys that control has used so far (with \
         SQLite and none configured, that of <data_dir>.kek): without them its private keys cannot be read"
    ));
    Ok(ExitCode::SUCCESS)
}

fn with_password(
    url: DatabaseUrl,
    source: Option<&Unjudged<SecretSource>>,
    flag: &'static str,
) -> anyhow::Result<DatabaseUrl> {
    match source {
        None => Ok(url),
        Some(source) => Ok(url.with_password(source.judge(flag)?.load().context(flag)?)),
    }
}

fn progress(table: &CopiedTable) {
    output::note(format!("copied and compared {} ({} rows)", table.name, table.rows));
}

fn print(tables: &[CopiedTable], format: Format) -> anyhow::Result<()> {
    let shown = |table: &CopiedTable| [table.name.clone(), table.rows.to_string(), table.digest.to_string()];
    match format {
        Format::Human => {
            output::table(["TABLE", "ROWS", "SUM OF SHA-256"], &tables.iter().map(shown).collect::<Vec<_>>())
        }
        Format::Json => output::json(
            &tables
                .iter()
                .map(|table| Shown { table: &table.name, rows: table.rows, sha256_sum: table.digest.to_string() })
                .collect::<Vec<_>>(),
        ),
    }
}

/// What was given, right or not: what is not right may hold a password, and would be repeated by the parser of the command line.
#[derive(Debug, Clone)]
struct Unjudged<T: FromStr<Err: Clone>>(Result<T, T::Err>);

impl<T: FromStr<Err: Clone + Error + Send + Sync + 'static> + Clone> Unjudged<T> {
    fn judge(&self, flag: &'static str) -> anyhow::Result<T> {
        self.0.clone().context(flag)
    }
}

fn unjudged<T: FromStr<Err: Clone>>(text: &str) -> Result<Unjudged<T>, Infallible> {
    Ok(Unjudged(text.parse()))
}
