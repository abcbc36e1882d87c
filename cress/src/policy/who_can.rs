// SPDX-License-Identifier: Apache-2.0
//! `cress policy who-can`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use cress_api::admin::{ContainerGroup, Organization};
use cress_broker::policy_trial::{Identity, Outcome, PolicyTrial};
use cress_client::AdminClient;
use cress_domain::{Audience, Clock, CredentialName};
use cress_service::SystemClock;
use serde::Serialize;
use serde_json::{Value, json};

use super::CASES_BYTES_MAX;
use super::broker::{self, Wish};
use crate::config::read_limited;
use crate::{output, runtime};

/// Stands for the ids that a group's instances do not have in common.
const ANY_ID: &str = "00000000-0000-0000-0000-000000000000";
/// How long a token lives that is tried.
const LIFE_SECONDS: i64 = 300;

/// Say who of those that are known could get a credential.
///
/// Policies are not read backwards: each container group that control knows, and each identity of a file, is tried as if it asked now.
/// Whoever else there is was not tried, and neither were other instances, machines, times and addresses.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress policy who-can cache-rw --broker broker.toml --socket /var/lib/cress/admin.sock
  cress policy who-can cache-rw --broker broker.toml --identities identities.json

An identity:
  {\"name\": \"a worker of ours\",
   \"claims\": {\"iss\": \"https://control.example\", \"aud\": \"https://broker.example\", \"exp\": 1999999999, \"salad_workload_id\": \"...\"}}

Exit codes: 0 it was tried, whoever can; 1 it was not.")]
pub(crate) struct Arguments {
    /// The credential
    #[arg(value_name = "CREDENTIAL")]
    credential: CredentialName,
    /// TOML file of the broker
    #[arg(long, value_name = "FILE", env = "CRESS_BROKER_CONFIG")]
    broker: PathBuf,
    /// Control's socket: try every container group that it knows
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// The issuer, by its name in the broker's settings, that those groups are of; the only one by default
    #[arg(long, value_name = "NAME", requires = "socket")]
    issuer: Option<String>,
    /// JSON list of identities to try; - for standard input
    #[arg(long, value_name = "FILE")]
    identities: Option<PathBuf>,
    #[command(flatten)]
    wish: Wish,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One that was tried.
#[derive(Debug, Serialize)]
struct Tried {
    name: String,
    outcome: Outcome,
    reason: String,
    policies: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        arguments.socket.is_some() || arguments.identities.is_some(),
        "expected whom to try: --socket with control's groups, --identities with a file, or both"
    );
    let config = broker::config(&arguments.broker)?;
    let trial = PolicyTrial::new(&config)?;
    let groups = match &arguments.socket {
        Some(socket) => groups(socket, arguments, &trial, &config.audience)?,
        None => Vec::new(),
    };
    let samples = arguments.identities.as_deref().map(samples).transpose()?.unwrap_or_default();
    let (groups_tried, samples_tried) = (groups.len(), samples.len());
    let request = arguments.wish.request(&arguments.credential, None);
    let now = SystemClock::new().now();
    let tried: Vec<Tried> = groups
        .into_iter()
        .chain(samples)
        .map(|Identity { name, claims }| {
            let explanation = trial.explain(&claims, &request, now);
            Tried { name, outcome: explanation.outcome, reason: explanation.reason, policies: explanation.policies }
        })
        .collect();
    let note = format!(
        "tried were {groups_tried} container groups that control knows and {samples_tried} identities of a file, as if each asked now with a \
         token for the broker; whoever else there is was not"
    );
    if arguments.json {
        output::json(&json!({ "credential": arguments.credential, "note": note, "tried": tried }))?;
    } else {
        print(&tried)?;
        output::note(note);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(tried: &[Tried]) -> anyhow::Result<()> {
    let can = |one: &&Tried| one.outcome == Outcome::Permitted;
    for one in tried.iter().filter(can) {
        output::line(format!("{}: by {}", one.name, one.policies.join(", ")))?;
    }
    let count = tried.iter().filter(can).count();
    output::line(format!("{count} of {} can", tried.len()))
}

fn samples(file: &Path) -> anyhow::Result<Vec<Identity>> {
    serde_json::from_str(&read_limited(file, CASES_BYTES_MAX)?)
        .with_context(|| format!("expected a list of identities in {}", file.display()))
}

/// Every group, with claims as control would put them into its instances' tokens.
fn groups(
    socket: &Path,
    arguments: &Arguments,
    trial: &PolicyTrial,
    audience: &Audience,
) -> anyhow::Result<Vec<Identity>> {
    let issuer = trial.issuer(arguments.issuer.as_deref()).context(
        "expected --issuer with the name that the broker's settings have for control's issuer: there is not just one",
    )?;
    runtime::of_command()?.block_on(async {
        let control = AdminClient::new(socket)?;
        let mut identities = Vec::new();
        for organization in control.organizations().await? {
            for project in control.projects(&organization.name).await? {
                for group in control.container_groups(&organization.name, &project.name).await? {
                    let may_ask = group.definition.allowed_audiences.contains(audience);
                    let mut identity = identity(issuer.as_str(), &organization, &group);
                    identity.name = format!("{}/{}/{}", organization.name, project.name, group.name);
                    if may_ask {
                        identity.claims.insert("aud".to_owned(), json!(audience));
                    }
                    identities.push(identity);
                }
            }
        }
        Ok(identities)
    })
}

fn identity(issuer: &str, organization: &Organization, group: &ContainerGroup) -> Identity {
    let now = SystemClock::new().now().unix_seconds();
    let claims = json!({
        "iss": issuer, "sub": ANY_ID, "jti": ANY_ID, "iat": now, "exp": now.saturating_add(LIFE_SECONDS),
        // As a token is that names no audience: most brokers refuse it.
        "aud": organization.id,
        "salad_organization_id": organization.id, "salad_organization_name": organization.name,
        "salad_workload_id": group.id, "salad_workload_name": group.name,
        "salad_instance_id": ANY_ID, "salad_machine_id": ANY_ID,
    });
    let mut claims = match claims {
        Value::Object(claims) => claims,
        _ => serde_json::Map::new(),
    };
    if let Ok(Value::Object(extra)) = serde_json::to_value(&group.definition.extra_claims) {
        claims.extend(extra);
    }
    Identity { name: String::new(), claims }
}
