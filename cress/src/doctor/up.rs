// SPDX-License-Identifier: Apache-2.0
//! Everything that `cress up` runs: control, its node, and where `endpoints.json` says that they are.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cress_api::endpoints::Endpoints;
use cress_domain::Clock;

use super::control::{self, Addresses};
use super::report::Report;
use super::{node, reach};

const ENDPOINTS_FILE: &str = "endpoints.json";
const NODE_DIRECTORY: &str = "node";
/// Any free port: of a stack that does not run, the ports are not known.
const ANY_PORT: u16 = 0;

pub(super) async fn examine(report: &mut Report, data_dir: &Path, clock: &Arc<dyn Clock>) {
    report.about("control");
    let endpoints = endpoints(data_dir);
    let mut config = cress_control::Config::new(data_dir.to_owned());
    for listen in [&mut config.listen, &mut config.node_api.listen, &mut config.metrics.listen] {
        listen.set_port(ANY_PORT);
    }
    let addresses = endpoints.as_ref().map_or_else(Addresses::default, |endpoints| Addresses {
        public_url: Some(endpoints.control.clone()),
        node_api: address(&endpoints.node_api),
        ports: Vec::new(),
    });
    let runs = control::examine(report, &config, &addresses, clock).await.is_some();
    report.about("node");
    let url = endpoints.as_ref().filter(|_| runs).map_or_else(String::new, |endpoints| endpoints.node_api.clone());
    let mut config = cress_node::Config::new(data_dir.join(NODE_DIRECTORY), url);
    config.metrics.listen.set_port(ANY_PORT);
    node::examine(report, &config, clock).await;
    report.about("up");
    match (endpoints, runs) {
        (Some(endpoints), true) => instances(report, &endpoints).await,
        (Some(_), false) => report.warning(
            "endpoints",
            format!("{} is there, but nothing runs: the process was killed", data_dir.join(ENDPOINTS_FILE).display()),
            "start `cress up` again, or remove the file",
        ),
        (None, true) => report.warning(
            "endpoints",
            "it runs, but endpoints.json is not there: it is starting, or control runs alone",
            "wait, or look into its log",
        ),
        (None, false) => report.ok("endpoints", "nothing runs here now"),
    }
}

fn endpoints(data_dir: &Path) -> Option<Endpoints> {
    serde_json::from_slice(&std::fs::read(data_dir.join(ENDPOINTS_FILE)).ok()?).ok()
}

fn address(url: &str) -> Option<SocketAddr> {
    url.trim_start_matches("https://").trim_end_matches('/').parse().ok()
}

/// Every metadata service must answer; what it answers is of no interest, so no token is asked for.
async fn instances(report: &mut Report, endpoints: &Endpoints) {
    for instance in &endpoints.instances {
        let (id, imds) = (&instance.instance_id, &instance.imds);
        match reach::get(imds).await {
            Ok(_) => report.ok("instances", format!("the metadata service of {id} answers at {imds}")),
            Err(error) => report.problem(
                "instances",
                format!("the metadata service of {id} at {imds} does not answer: {error}"),
                "look into the log: `cress up --log info`",
            ),
        }
    }
    if endpoints.instances.is_empty() {
        report.ok("instances", "no instance runs");
    }
}
