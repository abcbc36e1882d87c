// SPDX-License-Identifier: Apache-2.0
//! `cress up`: control, one node, the authorization service, the broker and example instances in one process, on loopback, for development and for a first look.

mod broker;
mod certificate;
mod endpoints;
mod example;
mod layout;
mod stack;
mod summary;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cress_service::Shutdown;
use cress_service::shutdown::DRAIN_DEFAULT;

use self::endpoints::EndpointsFile;
use self::layout::Layout;
use self::stack::Stack;
use crate::cli::Logging;
use crate::output::Format;
use crate::{logging, runtime};

/// Run everything on this machine: control, one node, the authorization service, the broker and example instances.
///
/// It needs neither root nor a server, listens on loopback only, and keeps everything in one directory: started again
/// with it, ids, keys and enrolment are the same. Where everything is stands in `endpoints.json` in that directory too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress up
  cress up --data-dir /tmp/cress-demo --base-port 9420 --instances 4
  cress up --json                      one JSON document with all URLs, then it runs on

Ports: control is at the base port, the node API at +1, the broker at +2, the authorization service at
+3, metrics at +10 to +13, the instances' metadata services from +20 on. The example instances are plain processes of this user, which nothing keeps apart.")]
pub(crate) struct Arguments {
    /// Directory that everything is kept in
    #[arg(long, value_name = "DIR", env = "CRESS_UP_DATA_DIR", default_value = "cress-data")]
    data_dir: PathBuf,
    /// Loopback address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// The first port; every other one follows from it
    #[arg(long, value_name = "PORT", default_value_t = 8420)]
    base_port: u16,
    /// How many example instances run: 0 to 100
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=100))]
    instances: u32,
    /// Print where everything is as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    logging::start(logs, "warn")?;
    let layout = Layout::new(&arguments.data_dir, arguments.listen, arguments.base_port, arguments.instances)?;
    let file = EndpointsFile::prepare(&arguments.data_dir)?;
    runtime::of_role()?.block_on(async {
        let signals = Shutdown::on_signals(DRAIN_DEFAULT)?;
        let starting = Stack::start(&layout, arguments.instances);
        let Some(stack) = signals.token().run_until_cancelled(starting).await else {
            return Ok(ExitCode::SUCCESS);
        };
        let mut stack = stack?;
        let endpoints = stack.endpoints();
        file.write(&endpoints)?;
        summary::print(&endpoints, &arguments.data_dir, Format::of(arguments.json))?;
        stack.run_until_stopped(&signals, |endpoints| file.follow(endpoints)).await;
        file.remove();
        Ok(stack.stop().await)
    })
}
