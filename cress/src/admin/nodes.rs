// SPDX-License-Identifier: Apache-2.0
//! `cress admin nodes`.

use clap::Subcommand;
use cress_api::admin::{CreateJoinToken, JoinToken, Node, join_token_ttl_default};
use cress_domain::{JoinTokenId, MachineId, Name};

use super::{Session, or_dash, word};
use crate::output;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all
    List,
    /// Print a join token, with which one new node can enrol
    #[command(after_help = "\
Example:
  cress admin nodes invite > join-token
  cress admin nodes invite --organization acme --capacity-max 8 > join-token
  cress node --control https://control.example:8421 --join-token-file join-token ...

The token is a secret until it is used or expires. It is shown this once.")]
    Invite {
        /// How long it may be used: 60 s to 7 days
        #[arg(long, value_name = "SECONDS", default_value_t = join_token_ttl_default())]
        ttl_seconds: u32,
        /// The most instances that the node may announce
        #[arg(long, value_name = "INSTANCES")]
        capacity_max: Option<u32>,
        /// The organization whose instances the node may run; may be repeated. Without it the node may run everyone's
        #[arg(long = "organization", value_name = "NAME")]
        organizations: Vec<Name>,
    },
    /// List join tokens, without their secrets
    Invitations,
    /// Revoke a join token that was not used yet
    Revoke {
        /// The join token's id
        id: JoinTokenId,
    },
    /// Ban a node: its instances end here, and its key is never accepted again
    Ban {
        /// The machine id
        machine_id: MachineId,
    },
    /// Remove a node: its instances end here; it may join again with a new join token
    Remove {
        /// The machine id
        machine_id: MachineId,
    },
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List => {
            let headings = [
                "MACHINE",
                "NAME",
                "STATE",
                "CONNECTED",
                "INSTANCES",
                "CAPACITY",
                "ORGANIZATIONS",
                "CERTIFICATE UNTIL",
                "TWO AGENTS SEEN",
            ];
            session.list(&client.nodes().await?, headings, node_row)
        }
        Command::Invite { ttl_seconds, capacity_max, organizations } => {
            let (ttl_seconds, capacity_max) = (*ttl_seconds, *capacity_max);
            let request = CreateJoinToken { ttl_seconds, capacity_max, organizations: organizations.clone() };
            let made = client.create_join_token(request).await?;
            session.made(&made, || {
                output::note(format!("join token {}, good for one node until {}:", made.id, made.expires_at));
                made.join_token.clone()
            })
        }
        Command::Invitations => {
            let headings = ["ID", "STATE", "EXPIRES", "CAPACITY MAX", "ORGANIZATIONS", "MACHINE"];
            session.list(&client.join_tokens().await?, headings, join_token_row)
        }
        Command::Revoke { id } => {
            client.revoke_join_token(*id).await?;
            session.done(|| format!("join token {id} revoked"))
        }
        Command::Ban { machine_id } => {
            client.ban_node(*machine_id).await?;
            session.done(|| format!("node {machine_id} banned"))
        }
        Command::Remove { machine_id } => {
            client.remove_node(*machine_id).await?;
            session.done(|| format!("node {machine_id} removed"))
        }
    }
}

fn node_row(node: &Node) -> [String; 9] {
    [
        node.machine_id.to_string(),
        node.name.clone(),
        word(&node.state),
        node.connected.to_string(),
        node.instances.to_string(),
        node.capacity.to_string(),
        or_dash(node.organizations.as_ref().map(|names| names.join(" "))),
        node.certificate_not_after.clone(),
        or_dash(node.duplicated_at.as_ref()),
    ]
}

fn join_token_row(token: &JoinToken) -> [String; 6] {
    [
        token.id.to_string(),
        word(&token.state),
        token.expires_at.clone(),
        or_dash(token.capacity_max),
        or_dash(token.organizations.as_ref().map(|names| names.join(" "))),
        or_dash(token.machine_id),
    ]
}
