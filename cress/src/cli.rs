// SPDX-License-Identifier: Apache-2.0
//! The commands, and where each is carried out.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cress_service::telemetry::LogFormat;

use crate::{admin, audit, authz, broker, config, control, credential, jwks, leases, policy, reference, token};
#[cfg(target_os = "linux")]
use crate::{doctor, node, up};

/// Short-lived signed identity for every container instance.
#[derive(Debug, Parser)]
#[command(name = "cress", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    logging: Logging,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cress up                                        everything on this machine, with two example instances
  cress token get --imds http://127.0.0.1:8440    the token of the first of them
  cress admin instances list                      what runs where
  cress config schema control                     every setting of control

Exit codes: 0 success, 1 failure (with one sentence on standard error), 2 wrong usage.";

/// What is logged, and how. Logs go to standard error.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logging {
    /// Level (error, warn, info, debug, trace) or directives such as info,cress_node=debug [env: CRESS_LOG]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Logging")]
    pub(crate) log: Option<String>,
    /// One line for people, or one JSON object for machines
    #[arg(long, global = true, value_name = "FORMAT", value_parser = log_format, help_heading = "Logging")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: control, one node, the broker and example instances
    #[cfg(target_os = "linux")]
    Up(up::Arguments),
    /// Run control: the fleet, enrolment, signing keys and tokens
    Control(control::Arguments),
    /// Run a node: instances and their metadata services
    #[cfg(target_os = "linux")]
    Node(node::Arguments),
    /// Run the authorization service: other proxies ask it about each request
    Authz(authz::Arguments),
    /// Run the broker: it trades tokens for credentials
    Broker(broker::Arguments),
    /// Manage a running control on this machine
    Admin(admin::Arguments),
    /// Look at and end what a running broker has given out
    Leases(leases::Arguments),
    /// Get, inspect and verify tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Look at the broker's records of decisions
    #[command(subcommand)]
    Audit(audit::Command),
    /// Get what the broker gives out
    #[command(subcommand)]
    Credential(credential::Command),
    /// Keep files with an issuer's keys up to date
    #[command(subcommand)]
    Jwks(jwks::Command),
    /// Say what is wrong with an installation, and what to do
    #[cfg(target_os = "linux")]
    Doctor(doctor::Arguments),
    /// Try rules and policies, and say why they decide as they do
    #[command(subcommand)]
    Policy(policy::Command),
    /// Check and describe configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Hold the instances of the process driver (started by a node, never by hand)
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Supervise,
    /// Print the command line's reference as Markdown
    #[command(hide = true)]
    Reference,
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            #[cfg(target_os = "linux")]
            Command::Up(arguments) => up::run(&arguments, &self.logging),
            Command::Control(arguments) => control::run(&arguments, &self.logging),
            #[cfg(target_os = "linux")]
            Command::Node(arguments) => node::run(&arguments, &self.logging),
            Command::Authz(arguments) => authz::run(&arguments, &self.logging),
            Command::Broker(arguments) => broker::run(&arguments, &self.logging),
            Command::Admin(arguments) => admin::run(&arguments),
            Command::Leases(arguments) => leases::run(&arguments),
            Command::Token(command) => token::run(command),
            Command::Audit(command) => audit::run(&command),
            Command::Credential(command) => credential::run(&command),
            Command::Jwks(command) => jwks::run(&command, &self.logging),
            #[cfg(target_os = "linux")]
            Command::Doctor(arguments) => doctor::run(&arguments),
            Command::Config(command) => config::run(command),
            Command::Policy(command) => policy::run(command),
            #[cfg(target_os = "linux")]
            Command::Supervise => Ok(cress_driver_process::supervisor::main()),
            Command::Reference => reference::run(),
        }
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected human or json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
