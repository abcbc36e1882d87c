// SPDX-License-Identifier: Apache-2.0
//! `cress admin`: manages a running control through its Unix socket.

mod authorities;
mod groups;
mod instances;
mod kek;
mod keys;
mod nodes;
mod organizations;
mod projects;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cress_api::admin::SOCKET_FILE;
use cress_client::AdminClient;
use serde::Serialize;

use crate::output::{self, Format};
use crate::runtime;

/// Manage a running control on this machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress admin organizations create acme
  cress admin projects create --organization acme default
  cress admin groups create --organization acme --project default worker --file worker.json
  cress admin nodes invite --ttl-seconds 600
  cress admin keys list

The socket belongs to control's user; run this as the same user.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Connection {
    /// Control's data directory, in which its socket lies
    #[arg(long, global = true, value_name = "DIR", env = "CRESS_CONTROL_DATA_DIR", default_value = "cress-data")]
    data_dir: PathBuf,
    /// Control's socket, if it does not lie there
    #[arg(long, global = true, value_name = "PATH", env = "CRESS_ADMIN_SOCKET")]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Organizations, the owners of projects
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// Projects of an organization
    #[command(subcommand)]
    Projects(projects::Command),
    /// Container groups of a project
    #[command(subcommand)]
    Groups(groups::Command),
    /// Running instances
    #[command(subcommand)]
    Instances(instances::Command),
    /// Nodes, and invitations for new ones
    #[command(subcommand)]
    Nodes(nodes::Command),
    /// Signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Key-encryption keys, which protect private keys at rest
    #[command(subcommand)]
    Kek(kek::Command),
    /// The database itself, whether control runs or not
    #[command(subcommand)]
    Store(store::Command),
    /// The certificate authorities by which nodes and control know each other
    #[command(subcommand)]
    Ca(authorities::Command),
}

/// A connection to control, and how to print its answers.
#[derive(Debug)]
struct Session {
    client: AdminClient,
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let connection = &arguments.connection;
    let socket = connection.socket.clone().unwrap_or_else(|| connection.data_dir.join(SOCKET_FILE));
    if let Command::Store(command) = &arguments.command {
        return store::run(command, connection);
    }
    runtime::of_command()?.block_on(async {
        let session = Session { client: AdminClient::new(&socket)?, format: Format::of(connection.json) };
        match &arguments.command {
            Command::Organizations(command) => organizations::run(&session, command).await,
            Command::Projects(command) => projects::run(&session, command).await,
            Command::Groups(command) => groups::run(&session, command).await,
            Command::Instances(command) => instances::run(&session, command).await,
            Command::Nodes(command) => nodes::run(&session, command).await,
            Command::Keys(command) => keys::run(&session, command).await,
            Command::Kek(command) => kek::run(&session, command).await,
            // It asks no control, and has returned above.
            Command::Store(_) => Ok(()),
            Command::Ca(command) => authorities::run(&session, command).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Session {
    /// Prints a list as a table, or as JSON.
    fn list<T: Serialize, const N: usize>(
        &self,
        items: &[T],
        headings: [&str; N],
        row: impl Fn(&T) -> [String; N],
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => output::json(&items),
            Format::Human => output::table(headings, &items.iter().map(row).collect::<Vec<_>>()),
        }
    }

    /// Prints what was made or changed as a sentence, or as JSON.
    fn made(&self, value: &impl Serialize, sentence: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self.format {
            Format::Json => output::json(value),
            Format::Human => output::line(sentence()),
        }
    }

    /// Prints what was done, which has no value.
    fn done(&self, sentence: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self.format {
            Format::Json => Ok(()),
            Format::Human => output::line(sentence()),
        }
    }
}

/// An optional value in a table.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A value of an enum as JSON writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}
