// SPDX-License-Identifier: Apache-2.0
//! `cress admin organizations`.

use clap::Subcommand;
use cress_domain::Name;

use super::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all
    List,
    /// Make one
    Create {
        /// 2 to 63 lower-case letters, digits and hyphens, beginning with a letter
        name: Name,
    },
    /// Delete one that has no projects
    Delete {
        /// Its name
        name: Name,
    },
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List => {
            let organizations = client.organizations().await?;
            session.list(&organizations, ["NAME", "ID"], |one| [one.name.to_string(), one.id.to_string()])
        }
        Command::Create { name } => {
            let made = client.create_organization(name).await?;
            session.made(&made, || format!("organization {name} made, its id is {}", made.id))
        }
        Command::Delete { name } => {
            client.delete_organization(name).await?;
            session.done(|| format!("organization {name} deleted"))
        }
    }
}
