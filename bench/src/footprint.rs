// SPDX-License-Identifier: Apache-2.0
//! Memory, and the time from the start of `cress up` to the first token.

use std::process::Command;
use std::time::{Duration, Instant};

use cress_client::AdminClient;
use cress_domain::{GroupDefinition, Name};
use serde_json::json;

use crate::cores;
use crate::imds::node_process;
use crate::node_client::NodeClient;
use crate::processes::{Control, Process, binary, is_ok, wait_for};
use crate::report::{Report, Target};

const MEBIBYTE: f64 = 1024.0 * 1024.0;
const UP_PORT: u16 = 33_200;
const IMDS_PORT: u16 = 33_300;
/// A hundred thousand instances: nodes, and groups of the most replicas there may be.
const NODES: u32 = 100;
const CAPACITY: u32 = 1_000;
const GROUPS: u32 = 200;
const REPLICAS: u32 = 500;

pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    report.section("Start and memory");
    report.figure("cress up, start to first token", first_token()?, "s", Target::Below(1.0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (one, many) = runtime.block_on(node())?;
    report.figure("node with 1 instance, resident", one / MEBIBYTE, "MiB", Target::Below(25.0));
    report.figure("node with 500 instances, resident", many / MEBIBYTE, "MiB", Target::Below(80.0));
    let (bytes, seconds) = runtime.block_on(control())?;
    report.figure("control with 100,000 assigned instances, resident", bytes / MEBIBYTE, "MiB", Target::Below(400.0));
    report.figure("until all of them are placed", seconds, "s", Target::None);
    Ok(())
}

fn first_token() -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut command = Command::new(binary()?);
    command.args(["up", "--base-port", &UP_PORT.to_string(), "--data-dir"]).arg(directory.path().join("data"));
    let started = Instant::now();
    let _up = Process::start(command)?;
    let url = format!("http://127.0.0.1:{}/v1/token", UP_PORT + 20);
    wait_for("a token", || is_ok(&url))?;
    Ok(started.elapsed().as_secs_f64())
}

async fn node() -> anyhow::Result<(f64, f64)> {
    let control = Control::start()?;
    let admin = control.admin()?;
    let (organization, project) = parents(&admin).await?;
    let group: Name = "worker".parse()?;
    let definition = definition(1)?;
    admin.create_container_group(&organization, &project, &group, &definition).await?;
    let node = node_process(&control, IMDS_PORT, cores::LOAD).await?;
    let ready = |index: u16| is_ok(&format!("http://127.0.0.1:{}/v1/token", IMDS_PORT + index));
    wait_for("a token", || ready(0))?;
    settle().await;
    let one = node.resident_bytes()?;
    admin.scale_container_group(&organization, &project, &group, 500).await?;
    wait_for("500 instances", || ready(499) && ready(250))?;
    settle().await;
    Ok((one, node.resident_bytes()?))
}

async fn control() -> anyhow::Result<(f64, f64)> {
    let control = Control::start()?;
    let seconds = fill(&control.admin()?).await?;
    settle().await;
    Ok((control.process.resident_bytes()?, seconds))
}

/// Has a hundred thousand instances placed; says how many seconds that took.
pub(crate) async fn fill(admin: &AdminClient) -> anyhow::Result<f64> {
    let (organization, project) = parents(admin).await?;
    for _ in 0..NODES {
        NodeClient::enrol(admin, CAPACITY).await?;
    }
    let definition = definition(REPLICAS)?;
    let started = Instant::now();
    for index in 0..GROUPS {
        let group: Name = format!("group-{index}").parse()?;
        admin.create_container_group(&organization, &project, &group, &definition).await?;
    }
    let placed = async || -> anyhow::Result<u32> { Ok(admin.nodes().await?.iter().map(|node| node.instances).sum()) };
    while placed().await? < GROUPS * REPLICAS {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The organization and the project that benchmarks work in.
pub(crate) async fn parents(admin: &AdminClient) -> anyhow::Result<(Name, Name)> {
    let (organization, project) = ("rxlab".parse()?, "default".parse()?);
    admin.create_organization(&organization).await?;
    admin.create_project(&organization, &project).await?;
    Ok((organization, project))
}

/// A group of so many replicas.
pub(crate) fn definition(replicas: u32) -> anyhow::Result<GroupDefinition> {
    Ok(serde_json::from_value(json!({"replicas": replicas, "command": ["sleep", "3600"], "stop_grace_seconds": 1}))?)
}

/// What a start needed for a moment is given back.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}
