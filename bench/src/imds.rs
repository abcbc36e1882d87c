// SPDX-License-Identifier: Apache-2.0
//! `GET /v1/token` of one instance, with one core for the server, against nginx answering the same bytes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use cress_client::ImdsClient;
use cress_domain::GroupDefinition;
use serde_json::json;
use tempfile::TempDir;

use crate::cores;
use crate::open_loop;
use crate::processes::{Control, Process, binary, is_ok, wait_for};
use crate::report::{Report, Target};
use crate::wrk::{CONNECTIONS, Load, wrk};

const IMDS_PORT: u16 = 33_140;
const NGINX_PORT: u16 = 33_180;
const METADATA: &str = "Metadata: true";
/// The rate at which latency is measured.
const OPEN_LOOP_RATE: u32 = 30_000;
/// How often each measurement is made.
const ROUNDS: usize = 3;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let control = Control::start()?;
    let node = runtime.block_on(start_node(&control))?;
    let ours = format!("http://127.0.0.1:{IMDS_PORT}");
    wait_for("a token", || is_ok(&format!("{ours}/v1/token")))?;
    let token = runtime.block_on(async { ImdsClient::new(&ours)?.token(None).await })?;
    let (_directory, nginx) = start_nginx(&format!(r#"{{"jwt":"{}"}}"#, token.expose()))?;

    report.section("Metadata service, one core for the server, 32 connections kept alive");
    let peer_url = format!("http://127.0.0.1:{NGINX_PORT}/v1/token");
    let our_url = format!("{ours}/v1/token");
    let (mut theirs, mut ours) = (Load::default(), Load::default());
    for _ in 0..ROUNDS {
        theirs = theirs.better_of(wrk(&peer_url, METADATA, seconds, &nginx)?);
        ours = ours.better_of(wrk(&our_url, METADATA, seconds, &node)?);
    }
    report.figure("nginx, one worker, `return 200`", theirs.rate, "requests/s", Target::None);
    report.figure("cress", ours.rate, "requests/s", Target::None);
    report.figure("cress / nginx", ours.rate / theirs.rate, "x", Target::AtLeast(0.65));
    // Where the load generator's core is full before the server's, this says what the server could do.
    report.figure("nginx, for each second of its processor time", theirs.rate_of_cpu, "requests", Target::None);
    report.figure("cress, for each second of its processor time", ours.rate_of_cpu, "requests", Target::None);
    report.figure(
        "cress / nginx, by processor time",
        ours.rate_of_cpu / theirs.rate_of_cpu,
        "x",
        Target::AtLeast(0.65),
    );

    report.section("Metadata service, 30,000 requests/s that do not wait for answers");
    open_loop(report, "nginx", NGINX_PORT, seconds, Target::None)?;
    open_loop(report, "cress", IMDS_PORT, seconds, Target::Below(1.0))
}

/// Latency at a fixed rate, from the moment at which each request was due. Of some rounds the one with the lowest tail
/// counts, for the server and its peer alike: the others tell what else the machine had to do.
fn open_loop(report: &mut Report, who: &str, port: u16, seconds: u64, target: Target) -> anyhow::Result<()> {
    let rounds = (0..ROUNDS).map(|_| open_loop_round(port, seconds)).collect::<anyhow::Result<Vec<_>>>()?;
    let best = rounds.into_iter().min_by_key(|round| round.latency.value_at_quantile(0.99)).context("a round")?;
    let milliseconds = |quantile| {
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let value = best.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        value
    };
    report.figure(&format!("{who}: held rate"), best.rate, "requests/s", Target::AtLeast(29_500.0));
    report.figure(&format!("{who}: median"), milliseconds(0.5), "ms", Target::None);
    report.figure(&format!("{who}: p99"), milliseconds(0.99), "ms", target);
    Ok(())
}

fn open_loop_round(port: u16, seconds: u64) -> anyhow::Result<open_loop::Outcome> {
    let load = std::thread::spawn(move || {
        cores::tie_thread(cores::LOAD)?;
        let request = format!("GET /v1/token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nMetadata: true\r\n\r\n");
        let address = ([127, 0, 0, 1], port).into();
        open_loop::run(address, request.as_bytes(), CONNECTIONS, OPEN_LOOP_RATE, Duration::from_secs(seconds))
    });
    load.join().map_err(|_panic| anyhow::anyhow!("the load generator failed"))?
}

/// A node with one instance, with limits beyond what is measured.
async fn start_node(control: &Control) -> anyhow::Result<Process> {
    let admin = control.admin()?;
    let (organization, project, group) = ("rxlab".parse()?, "default".parse()?, "rxlab-demo".parse()?);
    admin.create_organization(&organization).await?;
    admin.create_project(&organization, &project).await?;
    let definition: GroupDefinition = serde_json::from_value(json!({"replicas": 1, "command": ["sleep", "3600"]}))?;
    admin.create_container_group(&organization, &project, &group, &definition).await?;
    node_process(control, IMDS_PORT, cores::SERVER).await
}

/// A node process of this control, invited and started on this core.
pub(crate) async fn node_process(control: &Control, imds_port: u16, core: usize) -> anyhow::Result<Process> {
    let request = cress_api::admin::CreateJoinToken { ttl_seconds: 600, capacity_max: None, organizations: Vec::new() };
    let invitation = control.admin()?.create_join_token(request).await?;
    let file = control.directory().join(format!("join-token-{imds_port}"));
    fs::write(&file, invitation.join_token)?;
    let mut command = cores::tied(core, &binary()?.display().to_string());
    command.args(["node", "--log", "error", "--process-driver-without-isolation", "--control", &Control::node_api()]);
    command.arg("--data-dir").arg(control.directory().join(format!("node-{imds_port}")));
    command.arg("--join-token-file").arg(&file).args(["--capacity", "1000"]);
    command.env("CRESS_NODE_IMDS__BASE_PORT", imds_port.to_string());
    command.env("CRESS_NODE_METRICS__LISTEN", format!("127.0.0.1:{}", imds_port - 1));
    for limit in ["REQUESTS_PER_SECOND_MAX", "REQUESTS_BURST_MAX"] {
        command.env(format!("CRESS_NODE_IMDS__LIMITS__{limit}"), "100000000");
    }
    Process::start(command)
}

fn start_nginx(body: &str) -> anyhow::Result<(TempDir, Process)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    fs::write(path.join("nginx.conf"), configuration(path, body))?;
    let mut command = cores::tied(cores::SERVER, "nginx");
    command.arg("-c").arg(path.join("nginx.conf")).arg("-p").arg(path).args(["-g", "daemon off;"]);
    let nginx = Process::start(command)?;
    wait_for("nginx to answer", || is_ok(&format!("http://127.0.0.1:{NGINX_PORT}/v1/token")))?;
    Ok((directory, nginx))
}

fn configuration(directory: &Path, body: &str) -> String {
    format!(
        "worker_processes 1;\npid {0}/nginx.pid;\nerror_log {0}/error.log crit;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  client_body_temp_path {0}/body;\n  \
         proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/fastcgi;\n  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n  \
         server {{\n    listen 127.0.0.1:{NGINX_PORT};\n    location /v1/token {{\n      default_type application/json;\n      \
         return 200 '{body}';\n    }}\n  }}\n}}\n",
        directory.display()
    )
}
