// SPDX-License-Identifier: Apache-2.0
//! `cress node`: runs a node alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cress_driver::Driver;
use cress_driver_process::{Network, ProcessDriver, ProcessDriverConfig, SupervisorCommand};
use cress_node::{Config, Ports};
use cress_service::config::{ConfigError, Sources, load};
use cress_service::{Shutdown, SystemClock, SystemRandom};

use crate::cli::Logging;
use crate::{logging, runtime};

/// Name of the process driver's directory in the node's data directory.
const PROCESSES_DIRECTORY: &str = "processes";

/// Run a node: instances and their metadata services.
///
/// Settings come from a TOML file, over which environment variables CRESS_NODE_... are laid, and over these the flags.
/// `cress config schema node` lists every setting.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  cress node --control https://control.example:8421 --data-dir /var/lib/cress-node \\
      --join-token-file join-token --process-driver-without-isolation
  cress node --config /etc/cress/node.toml --process-driver-without-isolation --network-namespaces

The join token is needed once; `cress admin nodes invite` makes one.")]
pub(crate) struct Arguments {
    /// TOML file with settings [env: CRESS_NODE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory that the node keeps its key and its notes in
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// URL of control's node API
    #[arg(long, value_name = "URL")]
    control: Option<String>,
    /// File with a join token, for the first start
    #[arg(long, value_name = "FILE")]
    join_token_file: Option<PathBuf>,
    /// Name of the node for people
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How many instances the node is ready to run
    #[arg(long, value_name = "INSTANCES")]
    capacity: Option<u32>,
    #[command(flatten)]
    driver: DriverArguments,
}

/// How instances are run.
#[derive(Debug, Clone, Default, Args)]
struct DriverArguments {
    /// Run instances as plain processes of this user, which nothing keeps apart: for development only
    #[arg(long, help_heading = "Driver")]
    process_driver_without_isolation: bool,
    /// Give each instance a network namespace of its own, with its metadata service at 169.254.169.254 (needs root)
    #[arg(long, help_heading = "Driver")]
    network_namespaces: bool,
}

impl Arguments {
    /// As if this file alone had been named.
    pub(crate) fn with_file(config: Option<PathBuf>) -> Self {
        Self { config, ..Self::default() }
    }

    /// As if this file and this directory had been named.
    pub(crate) fn located(config: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        Self { config, data_dir, ..Self::default() }
    }

    /// The settings that file, environment and flags make together, not yet checked as a whole.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        load(
            &Sources::new("node")
                .file(self.config.as_deref())
                .environment(std::env::vars_os())
                .flag("--data-dir", "data_dir", self.data_dir.as_ref())
                .flag("--control", "control.url", self.control.as_ref())
                .flag("--join-token-file", "join_token_file", self.join_token_file.as_ref())
                .flag("--name", "name", self.name.as_ref())
                .flag("--capacity", "capacity", self.capacity),
        )
    }
}

pub(crate) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    logging::start(logs, "info")?;
    let config = arguments.load()?;
    config.check()?;
    anyhow::ensure!(
        arguments.driver.process_driver_without_isolation,
        "expected a driver: only the process driver exists as yet; instances run by it can read and signal whatever this \
         user can, so it must be asked for with --process-driver-without-isolation"
    );
    let network = if arguments.driver.network_namespaces { Network::Namespace } else { Network::Host };
    runtime::of_role()?.block_on(async {
        let shutdown = Shutdown::on_signals(Duration::from_secs(config.drain_seconds.into()))?;
        let driver = process_driver(&config.data_dir, network);
        tracing::warn!(driver = driver.name(), "{}", driver.isolation_notice());
        let started = cress_node::start(config, ports(driver, shutdown.clone())).await?;
        tracing::info!(machine_id = %started.machine_id, metrics = %started.metrics, "the node is ready");
        Ok(runtime::until_stopped(&shutdown).await)
    })
}

/// The driver that runs instances as processes, supervised by this program.
pub(crate) fn process_driver(data_dir: &Path, network: Network) -> Arc<dyn Driver> {
    let supervisor = SupervisorCommand::own_program(vec!["supervise".to_owned()]);
    let mut config = ProcessDriverConfig::new(supervisor, data_dir.join(PROCESSES_DIRECTORY));
    config.network = network;
    Arc::new(ProcessDriver::new(config))
}

/// What a node needs beside its settings.
pub(crate) fn ports(driver: Arc<dyn Driver>, shutdown: Shutdown) -> Ports {
    Ports { clock: Arc::new(SystemClock::new()), random: Arc::new(SystemRandom), shutdown, driver }
}
