// SPDX-License-Identifier: Apache-2.0
//! `cress admin groups`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use cress_api::admin::ContainerGroup;
use cress_domain::{GroupDefinition, Name};

use super::Session;
use crate::output;

/// Largest definition that is read from a file, in bytes.
const DEFINITION_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List a project's
    List(Parent),
    /// Show one with its definition, as JSON
    Show(Group),
    /// Make one
    #[command(after_help = EXAMPLE)]
    Create(WithDefinition),
    /// Replace one's definition; its instances are replaced if what they run has changed
    #[command(after_help = EXAMPLE)]
    Replace(WithDefinition),
    /// Change its number of replicas
    Scale {
        #[command(flatten)]
        group: Group,
        /// 0 to 500
        replicas: u32,
    },
    /// Delete one; its instances end
    Delete(Group),
}

const EXAMPLE: &str = r#"Example of a definition:
  {
    "replicas": 2,
    "command": ["python3", "worker.py"],
    "environment": {"LOG_LEVEL": "info"},
    "restart_policy": "on_failure",
    "token_ttl_seconds": 300,
    "allowed_audiences": ["https://broker.example"],
    "extra_claims": {"team": "vision"},
    "probes": {"readiness": {"http": {"path": "/healthz", "port": 8080}, "period_seconds": 5}}
  }"#;

#[derive(Debug, Args)]
pub(super) struct Parent {
    /// The organization's name
    #[arg(long, value_name = "NAME")]
    organization: Name,
    /// The project's name
    #[arg(long, value_name = "NAME")]
    project: Name,
}

#[derive(Debug, Args)]
pub(super) struct Group {
    #[command(flatten)]
    parent: Parent,
    /// The container group's name
    name: Name,
}

#[derive(Debug, Args)]
pub(super) struct WithDefinition {
    #[command(flatten)]
    group: Group,
    /// File with the definition as JSON; - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List(Parent { organization, project }) => {
            let groups = client.container_groups(organization, project).await?;
            session.list(&groups, ["NAME", "REPLICAS", "PLACED", "ID"], row)
        }
        Command::Show(Group { parent, name }) => {
            output::json(&client.container_group(&parent.organization, &parent.project, name).await?)
        }
        Command::Create(WithDefinition { group: Group { parent, name }, file }) => {
            let definition = read_definition(file)?;
            let made = client.create_container_group(&parent.organization, &parent.project, name, &definition).await?;
            session.made(&made, || format!("container group {name} made, its id is {}", made.id))
        }
        Command::Replace(WithDefinition { group: Group { parent, name }, file }) => {
            let definition = read_definition(file)?;
            let changed =
                client.replace_container_group(&parent.organization, &parent.project, name, &definition).await?;
            session.made(&changed, || format!("container group {name} has its new definition"))
        }
        Command::Scale { group: Group { parent, name }, replicas } => {
            let changed = client.scale_container_group(&parent.organization, &parent.project, name, *replicas).await?;
            session.made(&changed, || format!("container group {name} is to have {replicas} replicas"))
        }
        Command::Delete(Group { parent, name }) => {
            client.delete_container_group(&parent.organization, &parent.project, name).await?;
            session.done(|| format!("container group {name} deleted"))
        }
    }
}

fn row(group: &ContainerGroup) -> [String; 4] {
    [group.name.to_string(), group.definition.replicas.to_string(), group.placed.to_string(), group.id.to_string()]
}

fn read_definition(path: &Path) -> anyhow::Result<GroupDefinition> {
    let text = crate::config::read_limited(path, DEFINITION_BYTES_MAX)?;
    let definition: GroupDefinition = serde_json::from_str(&text)
        .with_context(|| format!("{} is no definition of a container group", path.display()))?;
    definition.check()?;
    Ok(definition)
}
