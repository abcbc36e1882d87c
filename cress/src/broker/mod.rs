// SPDX-License-Identifier: Apache-2.0
//! `cress broker`: runs the broker alone.

pub(crate) mod check;
pub(crate) mod providers;
mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use cress_broker::{Config, Ports, Reload};
use cress_service::config::{ConfigError, Sources, load};
use cress_service::{Shutdown, SystemClock, SystemRandom};
use tokio::sync::Notify;

use crate::cli::Logging;
use crate::{core_dumps, logging, runtime};

/// Run the broker: it trades a workload's token for the credentials that it may have.
///
/// Who may have what stands in one file: issuers whose tokens are accepted, providers, credentials and Cedar policies. Environment variables
/// CRESS_BROKER_... are laid over it, and over these the flags. `cress config schema broker` lists every setting. The file is read again
/// when it changes, or at SIGHUP, and nothing is dropped.
#[derive(Debug, Clone, Default, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  cress broker --config /etc/cress/broker.toml
  cress broker secrets put weather --field api_key=file:/run/weather-key
  cress config check broker --config broker.toml --connect
  cress leases list

A configuration that gives each workload of one organization an API key that was stored before:
  data_dir = \"/var/lib/cress-broker\"
  audience = \"https://broker.example\"
  [issuers.fleet]
  preset = \"cress\"
  issuer = \"https://control.example\"
  [providers.keys]
  type = \"static\"
  [credentials.weather]
  provider = \"keys\"
  secret = \"weather\"
  [policies]
  files = [\"/etc/cress/policies\"]

and in /etc/cress/policies/weather.cedar:
  @id(\"weather\")
  permit (principal, action == Cress::Action::\"issue\", resource == Cress::Credential::\"weather\")
  when { principal has organization_id && principal.organization_id == \"2c3573b6-88de-4067-821f-1af088bd9c6a\" };"
)]
pub(crate) struct Arguments {
    /// TOML file with settings [env: CRESS_BROKER_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory that the broker keeps its state in
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port of the API
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Base URL at which workloads and services reach it
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Address and port of the metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// A proxy in front does TLS: speak plain HTTP on any address
    #[arg(long)]
    behind_proxy: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Put, choose and erase secrets that a running broker gives out
    Secrets(secrets::Arguments),
}

impl Arguments {
    /// As if this file alone had been named.
    pub(crate) fn with_file(config: Option<PathBuf>) -> Self {
        Self { config, ..Self::default() }
    }

    /// The settings that file, environment and flags make together, not yet checked as a whole.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        load(
            &Sources::new("broker")
                .file(self.config.as_deref())
                .environment(std::env::vars_os())
                .flag("--data-dir", "data_dir", self.data_dir.as_ref())
                .flag("--listen", "listen", self.listen)
                .flag("--public-url", "public_url", self.public_url.as_ref())
                .flag("--metrics-listen", "metrics.listen", self.metrics_listen)
                .flag("--behind-proxy", "behind_proxy", self.behind_proxy.then_some(true)),
        )
    }
}

pub(crate) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    if let Some(Command::Secrets(arguments)) = &arguments.command {
        return secrets::run(arguments);
    }
    logging::start(logs, "info")?;
    core_dumps::forbid()?;
    let config = arguments.load()?;
    runtime::of_role()?.block_on(async {
        let shutdown = Shutdown::on_signals(config.drain())?;
        let started = cress_broker::start(config, ports(shutdown.clone(), Some(reload(arguments)?))).await?;
        tracing::info!(
            url = %started.url,
            audience = %started.audience,
            metrics = %started.metrics,
            socket = %started.socket.display(),
            "the broker is ready"
        );
        Ok(runtime::until_stopped(&shutdown).await)
    })
}

/// What the broker needs beside its settings.
pub(crate) fn ports(shutdown: Shutdown, reload: Option<Reload>) -> Ports {
    Ports {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
        shutdown,
        reload,
        providers: providers::builder(),
    }
}

/// From the same places as at the start; at once when asked with SIGHUP.
fn reload(arguments: &Arguments) -> anyhow::Result<Reload> {
    let arguments = arguments.clone();
    let asked = Arc::new(Notify::new());
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut hangup, asked) = (signal(SignalKind::hangup())?, Arc::clone(&asked));
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                asked.notify_one();
            }
        });
    }
    Ok(Reload { load: Arc::new(move || arguments.load().map_err(|error| error.to_string())), asked })
}
