// SPDX-License-Identifier: Apache-2.0
//! `cress policy`: tries rules and policies, and says why they decide as they do. It lets nothing pass.

mod broker;
mod explain;
mod test;
mod who_can;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cress_authz::{Config, Rehearsal};
use cress_broker::policy_trial::PolicyTrial;
use cress_service::config::{Sources, load};

use crate::output;

/// Longest file of cases or configuration that is read.
const CASES_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check rules and policies, and say what is worth a second look
    #[command(after_help = "\
Example:
  cress policy check --config /etc/cress/authz.toml
  cress policy check --broker /etc/cress/broker.toml

Exit codes: 0 they are good, 1 they are not; with --strict, warnings count too.")]
    Check {
        #[command(flatten)]
        rules: Rules,
        /// Fail for warnings too
        #[arg(long)]
        strict: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what would be decided about a request, by which rule and policy, and why
    Explain(explain::Arguments),
    /// Try a corpus of cases
    Test(test::Arguments),
    /// Say who of those that are known could get a credential
    WhoCan(who_can::Arguments),
    /// Print the schema that Cedar policies are written against
    #[command(after_help = "\
Example:
  cress policy schema > cress.cedarschema")]
    Schema {
        /// TOML file of the authorization service, for the claims that it declares
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Whose rules.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Rules {
    /// TOML file of the authorization service
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// TOML file of the broker
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
}

impl Rules {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(load(&Sources::new("authz").file(self.config.as_deref()).environment(std::env::vars_os()))?)
    }
}

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { rules, strict, json } => check(&rules, strict, json),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::WhoCan(arguments) => who_can::run(&arguments),
        Command::Schema { config } => schema(config),
    }
}

fn check(rules: &Rules, strict: bool, json: bool) -> anyhow::Result<ExitCode> {
    let warnings = match &rules.broker {
        Some(file) => PolicyTrial::new(&broker::config(file)?)?.warnings(),
        None => Rehearsal::new(&rules.config()?)?.warnings(),
    };
    if json {
        output::json(&serde_json::json!({ "warnings": warnings }))?;
    } else {
        output::line("the rules are good")?;
        for warning in &warnings {
            output::note(format!("warning: {warning}"));
        }
    }
    Ok(if strict && !warnings.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn schema(config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let text = match config {
        Some(config) => cress_authz::policy_schema(Some(&Rules { config: Some(config), broker: None }.config()?))?,
        None => cress_authz::policy_schema(None)?,
    };
    output::line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
