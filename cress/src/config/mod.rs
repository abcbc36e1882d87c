// SPDX-License-Identifier: Apache-2.0
//! `cress config`: checks and describes configuration.

mod emit;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use cress_authz::Rehearsal;
use cress_service::plain_words;

use crate::broker::check::Targets;
#[cfg(target_os = "linux")]
use crate::node;
use crate::{authz, broker, control, output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a role's settings as it would at its start, without starting it
    #[command(after_help = "\
Examples:
  cress config check control --config /etc/cress/control.toml
  cress config check broker --config /etc/cress/broker.toml --connect

Environment variables count as they would at the start.")]
    Check {
        /// The role
        role: Role,
        /// TOML file with settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Ask the broker's targets too: whether each answers and gives the rights that are needed
        #[arg(long)]
        connect: bool,
    },
    /// Write a working configuration for a proxy
    Emit(Box<emit::Arguments>),
    /// Print the JSON Schema of a role's settings: every key, its meaning and its default
    #[command(after_help = "\
Example:
  cress config schema control > control.schema.json")]
    Schema {
        /// The role
        role: Role,
    },
    /// Print the broker's API in OpenAPI 3.1
    #[command(after_help = "\
Example:
  cress config openapi > broker.openapi.json")]
    Openapi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Control
    Control,
    /// Node
    #[cfg(target_os = "linux")]
    Node,
    /// Authorization service
    Authz,
    /// Broker
    Broker,
}

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { role, config, connect } => return check(role, config, connect),
        Command::Emit(arguments) => emit::run(*arguments)?,
        Command::Schema { role } => output::line(schema(role).trim_end())?,
        Command::Openapi => output::line(cress_broker::openapi().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(role: Role, config: Option<PathBuf>, connect: bool) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !connect || role == Role::Broker,
        "expected --connect with the broker only: no other role has targets"
    );
    match role {
        Role::Control => control::Arguments::with_file(config).load()?.check()?,
        #[cfg(target_os = "linux")]
        Role::Node => node::Arguments::with_file(config).load()?.check()?,
        Role::Authz => {
            let warnings = Rehearsal::new(&authz::Arguments::with_file(config).load()?)?.warnings();
            for warning in warnings {
                output::note(format!("warning: {warning}"));
            }
        }
        Role::Broker => {
            return broker::check::run(config, if connect { Targets::Asked } else { Targets::LeftAlone });
        }
    }
    output::line("the configuration is good")?;
    Ok(ExitCode::SUCCESS)
}

fn schema(role: Role) -> String {
    match role {
        Role::Control => cress_service::config::schema::<cress_control::Config>(),
        #[cfg(target_os = "linux")]
        Role::Node => cress_service::config::schema::<cress_node::Config>(),
        Role::Authz => cress_service::config::schema::<cress_authz::Config>(),
        Role::Broker => cress_service::config::schema::<cress_broker::Config>(),
    }
}

/// The text of a file, or of standard input for `-`, up to a limit.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(bytes_max.saturating_add(1)).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(bytes_max.saturating_add(1)).read_to_string(&mut text))
    };
    read.map_err(|error| anyhow::anyhow!(plain_words(&error)))
        .with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(text.len() as u64 <= bytes_max, "expected {} to have at most {bytes_max} bytes", path.display());
    Ok(text)
}
