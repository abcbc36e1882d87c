// SPDX-License-Identifier: Apache-2.0
//! `cress doctor`: looks at a role's configuration, directory, database, keys, certificates, clocks and ports, and says in plain words what
//! is wrong and what to do. It changes nothing, and works whether the role runs or not.

mod certificates;
mod control;
mod files;
mod keys;
mod machine;
mod node;
mod ports;
mod reach;
mod report;
mod store;
mod subject;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use cress_domain::Clock;
use cress_service::SystemClock;

use self::report::{Report, Status};
use self::subject::Subject;
use crate::output::Format;
use crate::runtime;

/// Say what is wrong with an installation, and what to do.
///
/// Looks at configuration, data directory, database, keys, certificates, clocks, ports and reachability of control, of a node, or of
/// what `cress up` runs. It only reads, and may be run at any time, as the role's user or as root.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress doctor                                   what `cress up` keeps in cress-data
  cress doctor --config /etc/cress/control.toml
  cress doctor --data-dir /var/lib/cress-node --json

Each finding is ok, a warning or a problem. With --json: {\"status\", \"problems\", \"warnings\", \"findings\": [{\"role\", \"check\",
\"status\", \"message\", \"remedy\"}]}; the names of checks and statuses are stable, the sentences are not.

Exit codes: 0 no problem (there may be warnings), 1 at least one problem, 2 wrong usage.")]
pub(crate) struct Arguments {
    /// TOML file with the role's settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The role's data directory [default: cress-data, if no file is named]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The role; told from the file or the directory otherwise
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Control
    Control,
    /// Node
    Node,
    /// All that `cress up` runs
    Up,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let report = runtime::of_command()?.block_on(examine(arguments));
    report.print(Format::of(arguments.json))?;
    Ok(if report.status() == Status::Problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(arguments: &Arguments) -> Report {
    let mut report = Report::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    match subject::of(arguments, &mut report) {
        Some(Subject::Control(config)) => {
            let addresses = control::Addresses::of(&config);
            control::examine(&mut report, &config, &addresses, &clock).await;
        }
        Some(Subject::Node(config)) => node::examine(&mut report, &config, &clock).await,
        Some(Subject::Up(data_dir)) => up::examine(&mut report, &data_dir, &clock).await,
        None => {}
    }
    report
}
