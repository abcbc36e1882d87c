// SPDX-License-Identifier: Apache-2.0
//! `cress leases`: what a running broker has given out, and ends it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cress_api::broker::{OperatorLease, RevokeLeases, SOCKET_FILE, StuckTarget};
use cress_client::BrokerAdminClient;
use cress_domain::{CredentialName, Issuer, LeaseId, ProviderName};
use serde::Serialize;

use crate::output::{self, Format};
use crate::runtime;

/// Look at and end what a running broker has given out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress leases list --data-dir /var/lib/cress-broker --credential cache-rw
  cress leases revoke --instance 87659e43-19b0-4338-b3cc-d0a303c72af6
  cress leases stuck

The socket belongs to the broker's user; run this as the same user.")]
pub(crate) struct Arguments {
    /// The broker's data directory, in which its socket lies
    #[arg(long, global = true, value_name = "DIR", env = "CRESS_BROKER_DATA_DIR", default_value = "cress-data/broker")]
    data_dir: PathBuf,
    /// The broker's socket, if it does not lie there
    #[arg(long, global = true, value_name = "PATH", env = "CRESS_BROKER_SOCKET")]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List leases, the oldest first: those that fit all that is said
    List(Which),
    /// Show one lease
    Show {
        /// Its id
        lease: LeaseId,
    },
    /// Revoke leases at once: those of exactly one thing
    #[command(after_help = "\
Examples:
  cress leases revoke 87659e43-19b0-4338-b3cc-d0a303c72af6
  cress leases revoke --instance 2a6c... --issuer https://control.example
  cress leases revoke --credential cache-rw

They are ended at their targets within moments; `cress leases stuck` tells where that does not succeed.")]
    Revoke(Revoke),
    /// List the targets that need a look: where revocations do not succeed, or accounts without a lease wait for you
    Stuck,
    /// Let accounts without a lease be removed at a target, however many they are, for an hour
    #[command(after_help = "\
Example:
  cress leases stuck
  cress leases release cache

Accounts of this broker that no lease is known of are removed by themselves, unless they are many: after a backup of the
database was restored they may be in use. Look at them at the target first.")]
    Release {
        /// The target
        provider: ProviderName,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Those of an instance
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Those of a container group
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Those of a credential
    #[arg(long, value_name = "NAME")]
    credential: Option<CredentialName>,
    /// Those at a target
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Those that this issuer's tokens got
    #[arg(long, value_name = "URL")]
    issuer: Option<Issuer>,
    /// Those that stand there: intended, active, revoking or gone
    #[arg(long)]
    status: Option<String>,
    /// Those after this one
    #[arg(long, value_name = "LEASE")]
    after: Option<LeaseId>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Revoke {
    /// This lease
    #[arg(conflicts_with_all = ["instance", "credential", "provider", "issuer"])]
    lease: Option<LeaseId>,
    /// Those of an instance: of every issuer's with this id, or of --issuer's
    #[arg(long, value_name = "ID", conflicts_with_all = ["credential", "provider"])]
    instance: Option<String>,
    /// Those of a credential
    #[arg(long, value_name = "NAME", conflicts_with_all = ["provider", "issuer"])]
    credential: Option<CredentialName>,
    /// Those at a target
    #[arg(long, value_name = "NAME", conflicts_with = "issuer")]
    provider: Option<ProviderName>,
    /// All those that this issuer's tokens got
    #[arg(long, value_name = "URL")]
    issuer: Option<Issuer>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let socket = arguments.socket.clone().unwrap_or_else(|| arguments.data_dir.join(SOCKET_FILE));
    let format = Format::of(arguments.json);
    runtime::of_command()?.block_on(async {
        let client = BrokerAdminClient::new(&socket)?;
        match &arguments.command {
            Command::List(which) => print_leases(&client.leases(&which.parameters()).await?, format),
            Command::Show { lease } => print_one(&client.lease(*lease).await?, format),
            Command::Revoke(revoke) => {
                let revoked = client.revoke(&revoke.request()).await?;
                match format {
                    Format::Json => output::json(&revoked),
                    Format::Human => output::line(format!("{} leases revoked", revoked.leases)),
                }
            }
            Command::Stuck => print_stuck(&client.stuck().await?, format),
            Command::Release { provider } => match client.release(provider).await? {
                true => output::line(format!("accounts without a lease are removed at {provider} for an hour")),
                false => output::line(format!("nothing was held at {provider}")),
            },
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Which {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let text = |name, value: Option<String>| value.map(|value| (name, value));
        let named = |name, value: Option<&dyn std::fmt::Display>| value.map(|value| (name, value.to_string()));
        let limit = Some(("limit", self.limit.to_string()));
        [
            text("instance", self.instance.clone()),
            text("group", self.group.clone()),
            named("credential", self.credential.as_ref().map(|name| name as &dyn std::fmt::Display)),
            named("provider", self.provider.as_ref().map(|name| name as &dyn std::fmt::Display)),
            named("issuer", self.issuer.as_ref().map(|name| name as &dyn std::fmt::Display)),
            text("status", self.status.clone()),
            named("after", self.after.as_ref().map(|id| id as &dyn std::fmt::Display)),
            limit,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Revoke {
    fn request(&self) -> RevokeLeases {
        RevokeLeases {
            lease: self.lease,
            instance: self.instance.clone(),
            credential: self.credential.clone(),
            provider: self.provider.clone(),
            issuer: self.issuer.clone(),
        }
    }
}

fn print_leases(leases: &[OperatorLease], format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&leases);
    }
    let headings = ["LEASE", "CREDENTIAL", "STATUS", "OWNER", "EXPIRES", "TRIES"];
    let row = |lease: &OperatorLease| {
        [
            lease.lease_id.to_string(),
            lease.credential.to_string(),
            word(&lease.status),
            lease.owner.clone(),
            lease.expires_at.clone(),
            lease.attempts.to_string(),
        ]
    };
    output::table(headings, &leases.iter().map(row).collect::<Vec<_>>())
}

fn print_one(lease: &OperatorLease, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(lease);
    }
    let row = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
    let rows = [
        row("lease", &lease.lease_id.to_string()),
        row("credential", lease.credential.as_str()),
        row("target", lease.provider.as_str()),
        row("status", &word(&lease.status)),
        row("issuer", lease.issuer.as_str()),
        row("owner", &lease.owner),
        row("account", lease.account.as_deref().unwrap_or("-")),
        row("granted", &lease.granted_at),
        row("expires", &lease.expires_at),
        row("renewable until", &lease.renewable_until),
        row("next look", &lease.due_at),
        row("vain tries", &lease.attempts.to_string()),
        row("last error", lease.last_error.as_deref().unwrap_or("-")),
    ];
    output::table(["WHAT", "VALUE"], &rows)
}

fn print_stuck(targets: &[StuckTarget], format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&targets);
    }
    if targets.is_empty() {
        return output::line("no target is stuck");
    }
    let row = |target: &StuckTarget| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [
            target.provider.clone(),
            target.due.to_string(),
            or_dash(&target.oldest_due_at),
            target.strays.to_string(),
            target.state.clone(),
            or_dash(&target.last_error),
        ]
    };
    output::table(
        ["TARGET", "DUE", "SINCE", "STRAYS", "STATE", "LAST ERROR"],
        &targets.iter().map(row).collect::<Vec<_>>(),
    )
}

/// A value of an enum as JSON writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}
