// SPDX-License-Identifier: Apache-2.0
//! `cress admin projects`.

use clap::{Args, Subcommand};
use cress_domain::Name;

use super::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List an organization's
    List(Parent),
    /// Make one
    Create(Project),
    /// Delete one that has no container groups
    Delete(Project),
}

#[derive(Debug, Args)]
pub(super) struct Parent {
    /// The organization's name
    #[arg(long, value_name = "NAME")]
    organization: Name,
}

#[derive(Debug, Args)]
pub(super) struct Project {
    #[command(flatten)]
    parent: Parent,
    /// The project's name
    name: Name,
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List(parent) => {
            let projects = client.projects(&parent.organization).await?;
            session.list(&projects, ["NAME", "ID"], |one| [one.name.to_string(), one.id.to_string()])
        }
        Command::Create(Project { parent, name }) => {
            let made = client.create_project(&parent.organization, name).await?;
            session.made(&made, || format!("project {name} made, its id is {}", made.id))
        }
        Command::Delete(Project { parent, name }) => {
            client.delete_project(&parent.organization, name).await?;
            session.done(|| format!("project {name} deleted"))
        }
    }
}
