// SPDX-License-Identifier: Apache-2.0
//! `cress authz`: runs the authorization service alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use cress_authz::{Config, Ports, Reload};
use cress_service::config::{ConfigError, Sources, load};
use cress_service::{Shutdown, SystemClock};
use tokio::sync::Notify;

use crate::cli::Logging;
use crate::{logging, runtime};

/// Run the authorization service: other proxies ask it about each request.
///
/// It answers nginx auth_request, Traefik ForwardAuth, Caddy forward_auth, HAProxy and Envoy at /verify: by the rules of its
/// configuration, and with headers that say who asks. Settings come from a TOML file, over which environment variables
/// CRESS_AUTHZ_... are laid, and over these the flags. `cress config schema authz` lists every setting.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  cress authz --config /etc/cress/authz.toml
  cress config check authz --config authz.toml

A configuration that lets each workload of one organization read, and nobody else:
  [[issuers]]
  name = \"control\"
  issuer = \"https://control.example\"
  jwks_url = \"https://control.example/.well-known/workload-jwks.json\"
  audiences = [\"2c3573b6-88de-4067-821f-1af088bd9c6a\"]
  [[rules]]
  name = \"read\"
  methods = [\"GET\", \"HEAD\"]")]
pub(crate) struct Arguments {
    /// TOML file with settings [env: CRESS_AUTHZ_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port of /verify
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address and port of the metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// Whoever asks does so over a network that is trusted: speak plain HTTP on any address
    #[arg(long)]
    behind_proxy: bool,
    /// Refuse nothing: log and count what would have been refused
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// As if this file alone had been named.
    pub(crate) fn with_file(config: Option<PathBuf>) -> Self {
        Self { config, ..Self::default() }
    }

    /// The settings that file, environment and flags make together, not yet checked as a whole.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        load(
            &Sources::new("authz")
                .file(self.config.as_deref())
                .environment(std::env::vars_os())
                .flag("--listen", "listen", self.listen)
                .flag("--metrics-listen", "metrics.listen", self.metrics_listen)
                .flag("--behind-proxy", "behind_proxy", self.behind_proxy.then_some(true))
                .flag("--dry-run", "dry_run", self.dry_run.then_some(true)),
        )
    }
}

pub(crate) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    logging::start(logs, "info")?;
    let config = arguments.load()?;
    config.check()?;
    runtime::of_role()?.block_on(async {
        let shutdown = Shutdown::on_signals(config.drain())?;
        let started = cress_authz::start(config, ports(shutdown.clone(), Some(reload(arguments)?))).await?;
        tracing::info!(url = %started.url, grpc = ?started.grpc, metrics = %started.metrics, "the authorization service is ready");
        Ok(runtime::until_stopped(&shutdown).await)
    })
}

/// What the authorization service needs beside its settings.
pub(crate) fn ports(shutdown: Shutdown, reload: Option<Reload>) -> Ports {
    Ports { clock: Arc::new(SystemClock::new()), shutdown, reload }
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
