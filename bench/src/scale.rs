// SPDX-License-Identifier: Apache-2.0
//! A large fleet on each store: how long ten thousand changed assignments take until nodes have them, and how long a start takes.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::Context;
use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::node_report::Report as Upward;
use cress_api::node_protocol::{Hello, NodeReport};
use cress_client::AdminClient;
use cress_domain::Name;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

use crate::cores;
use crate::footprint::{definition, fill, parents};
use crate::node_client::NodeClient;
use crate::processes::Control;
use crate::report::{Report, Target};
use crate::stores::Place;

/// Ten thousand assignments: nodes with room for all, and groups of the most replicas there may be.
const NODES: usize = 20;
const CAPACITY: u32 = 1_000;
const GROUPS: u32 = 20;
const REPLICAS: u32 = 500;
/// Then something is wrong, and no figure comes of it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    for (name, place) in Place::each() {
        report.section(&format!("A large fleet on {name}, one core for control"));
        let (placed, ended) = loaded(Control::start_at(place())?, |control| Box::pin(change(control)))?;
        report.figure("10,000 assignments placed, scale to nodes' streams", placed, "s", Target::Below(2.0));
        report.figure("10,000 assignments ended, scale to nodes' streams", ended, "s", Target::Below(2.0));
        let mut control = loaded(Control::start_at(place())?, |control| {
            Box::pin(async move {
                fill(&control.admin()?).await?;
                Ok(control)
            })
        })?;
        report.figure("start with 100,000 instances, until ready", control.start_again()?, "s", Target::Below(3.0));
    }
    Ok(())
}

type Work<T> = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<T>>>>;

/// Does something with a control from the load's core.
fn loaded<T: Send + 'static>(control: Control, work: fn(Control) -> Work<T>) -> anyhow::Result<T> {
    let load = std::thread::spawn(move || {
        cores::tie_thread(cores::LOAD)?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(control))
    });
    load.join().map_err(|_panic| anyhow::anyhow!("the load generator failed"))?
}

/// Seconds until every assignment was placed, and until every one was ended again.
async fn change(control: Control) -> anyhow::Result<(f64, f64)> {
    let admin = control.admin()?;
    let (organization, project) = parents(&admin).await?;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    for index in 0..NODES {
        let node = NodeClient::enrol(&admin, CAPACITY).await?;
        streams.spawn(follow(index, node, sender.clone()));
    }
    let groups = (0..GROUPS).map(|index| format!("group-{index}").parse::<Name>());
    let groups: Vec<Name> = groups.collect::<Result<_, _>>()?;
    for group in &groups {
        admin.create_container_group(&organization, &project, group, &definition(0)?).await?;
    }
    // Each stream begins with what is placed already.
    for _ in 0..NODES {
        seen.recv().await.context("a stream")?;
    }
    let placed = scale(&admin, &groups, REPLICAS, &mut seen).await?;
    let ended = scale(&admin, &groups, 0, &mut seen).await?;
    Ok((placed, ended))
}

/// How many assignments a node has.
type Seen = (MachineIndex, usize);
type MachineIndex = usize;

async fn scale(
    admin: &AdminClient,
    groups: &[Name],
    replicas: u32,
    seen: &mut mpsc::UnboundedReceiver<Seen>,
) -> anyhow::Result<f64> {
    let (organization, project) = ("rxlab".parse()?, "default".parse()?);
    let wanted = groups.len() * usize::try_from(replicas)?;
    let started = Instant::now();
    for group in groups {
        admin.scale_container_group(&organization, &project, group, replicas).await?;
    }
    let all = async {
        // None is known until each node that had or gets some has said how many.
        let mut known = HashMap::new();
        while known.len() < NODES || known.values().sum::<usize>() != wanted {
            let (node, count) = seen.recv().await.context("the streams have ended")?;
            known.insert(node, count);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, all).await.context("expected every change to reach a node")??;
    Ok(started.elapsed().as_secs_f64())
}

/// Tells how many assignments a node has, each time that it is told of others.
async fn follow(index: usize, node: NodeClient, seen: mpsc::UnboundedSender<Seen>) -> anyhow::Result<()> {
    let (reports, outbound) = mpsc::channel(1);
    let hello = Hello { agent_version: "bench".to_owned(), capacity: CAPACITY, boot_id: Vec::new() };
    reports.send(NodeReport { report: Some(Upward::Hello(hello)) }).await?;
    let mut updates = node.fleet().await?.sync(ReceiverStream::new(outbound)).await?.into_inner();
    let mut here = HashSet::new();
    let mut is_whole = true;
    while let Some(update) = updates.message().await? {
        match update.update {
            Some(Update::Snapshot(piece)) => {
                if is_whole {
                    here.clear();
                }
                is_whole = !piece.more;
                here.extend(piece.assignments.into_iter().map(|assignment| assignment.instance_id));
            }
            Some(Update::Change(change)) => {
                for ended in &change.ended {
                    here.remove(ended);
                }
                here.extend(change.placed.into_iter().map(|assignment| assignment.instance_id));
            }
            _ => continue,
        }
        if is_whole {
            seen.send((index, here.len()))?;
        }
    }
    drop(reports);
    Ok(())
}
