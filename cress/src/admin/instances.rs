// SPDX-License-Identifier: Apache-2.0
//! `cress admin instances`.

use clap::Subcommand;
use cress_api::admin::{EndedInstance, Instance};

use super::{Session, or_dash, word};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all that are placed on a node
    List,
    /// List those that ended within a day, the newest first
    Ended,
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List => {
            let instances = session.client.instances().await?;
            let headings =
                ["INSTANCE", "MACHINE", "CONTAINER GROUP", "STATE", "STARTED", "READY", "RESTARTS", "COST", "DETAIL"];
            session.list(&instances, headings, row)
        }
        Command::Ended => {
            let ended = session.client.ended_instances().await?;
            session.list(&ended, ["INSTANCE", "MACHINE", "ENDED"], ended_row)
        }
    }
}

fn ended_row(ended: &EndedInstance) -> [String; 3] {
    [ended.id.to_string(), ended.machine_id.to_string(), ended.ended_at.clone()]
}

fn row(instance: &Instance) -> [String; 9] {
    [
        instance.id.to_string(),
        instance.machine_id.to_string(),
        format!("{}/{}/{}", instance.organization, instance.project, instance.container_group),
        or_dash(instance.state.as_ref().map(word)),
        or_dash(instance.started),
        or_dash(instance.ready),
        or_dash(instance.restarts),
        instance.deletion_cost.to_string(),
        or_dash(instance.detail.as_deref()),
    ]
}
