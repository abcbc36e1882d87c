// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask soak`: a small fleet under load, churn and faults for a long time, and what must hold meanwhile.
//!
//! One control and two nodes with dozens of instances, all of the built binary. Half of the rate that this machine's load reaches goes
//! to the metadata services of a container group that is never changed; beside it another group is scaled, replaced and restarted all
//! the time, and every 20 s something breaks.
//!
//! What is allowed to fail, and nothing else: calls to the instances of a node whose agent was killed, from the kill until each of
//! them has a token again, which must take less than a minute. Control killed, connections cut, a node paused for seconds, a node
//! banned, keys switched: no call may fail. Every token that was handed out verifies. Memory and descriptors stay flat.

mod accounts;
mod churn;
mod faults;
mod fleet;
mod http;
mod load;
mod outcome;
mod process;
mod resources;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use self::accounts::Accounts;
use self::faults::{Faults, Period};
use self::fleet::Fleet;
use self::load::Load;
use self::resources::Resources;
use crate::test::Cleanup;
use crate::workspace::Workspace;
use crate::{command, report};

/// A fault comes so often, and in a short run at least so many times.
const FAULT_PERIOD: Duration = Duration::from_secs(20);
const FAULTS_MIN: u32 = 6;
/// How long the load may take to find out how fast it can be.
const TRIAL: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct Options {
    /// How long it runs
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// The binary; the release is built if none is named
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// A PostgreSQL database for control, empty; SQLite by default
    #[arg(long, value_name = "URL")]
    store_url: Option<String>,
    /// A command for the shell that restarts that database's server
    #[arg(long, value_name = "COMMAND", requires = "store_url")]
    restart_store: Option<String>,
    /// Append the figures to bench/RESULTS.md
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let binary = binary(workspace, options)?;
    let cleanup = Cleanup::begin()?;
    let outcome = soak(binary, options);
    let left_over = cleanup.finish();
    let outcome = outcome?;
    outcome.tell();
    if options.record {
        outcome.record(workspace)?;
    }
    ensure!(left_over.is_empty(), "left over, and removed: {}", left_over.join("; "));
    outcome.verdict()
}

fn binary(workspace: &Workspace, options: &Options) -> anyhow::Result<PathBuf> {
    if let Some(binary) = &options.binary {
        return Ok(binary.canonicalize()?);
    }
    command::run(&mut command::cargo(workspace, &["build", "--release", "--locked", "-p", "cress"]))?;
    Ok(workspace.target().join("release").join("cress"))
}

fn soak(binary: PathBuf, options: &Options) -> anyhow::Result<outcome::Outcome> {
    let length = Duration::from_secs(options.minutes.saturating_mul(60));
    report::line("==> start control, two nodes and their instances");
    let mut fleet = Fleet::start(binary, options.store_url.as_deref())?;
    let accounts = Arc::new(Accounts::default());
    let targets = fleet.steady_targets()?;
    let rate = Load::trial(&targets, TRIAL)? / 2;
    report::line(&format!("==> {rate} requests/s to {} instances, for {} minutes", targets.len(), options.minutes));
    let load = Load::start(targets, rate, Arc::clone(&accounts));
    let stop = Arc::new(AtomicBool::new(false));
    let churn = churn::start(fleet.client(), Arc::clone(&stop));
    let mut faults = Faults::new(options.restart_store.clone());
    let mut resources = Resources::default();

    let (begun, period) = (now(), FAULT_PERIOD.min(length / FAULTS_MIN));
    let mut next = begun + period;
    while begun.elapsed() < length {
        if now() >= next {
            // Killed processes have no history: in the second half only what leaves control alive happens.
            let half = if begun.elapsed() < length / 2 { Period::First } else { Period::Second };
            faults.next(&mut fleet, &accounts, half)?;
            next = now() + period;
        }
        fleet.check_alive()?;
        resources.look(&fleet, begun.elapsed() >= length / 2);
        accounts.verify_some(&fleet);
        std::thread::sleep(Duration::from_secs(1));
    }

    stop.store(true, Ordering::Relaxed);
    let calls = load.finish();
    let churned = churn.join().map_err(|_| anyhow::anyhow!("the churn broke off"))??;
    accounts.verify_some(&fleet);
    let figures = outcome::Figures { length, rate, calls, churned, faults: faults.done(), store: fleet.store_name() };
    fleet.stop()?;
    Ok(outcome::Outcome::new(figures, &accounts, &resources))
}

/// The task measures; nothing of the product depends on it.
#[expect(clippy::disallowed_methods, reason = "a soak test runs in real time")]
fn now() -> Instant {
    Instant::now()
}
