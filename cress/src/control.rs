// SPDX-License-Identifier: Apache-2.0
//! `cress control`: runs control alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use cress_control::{Config, Ports};
use cress_service::config::{ConfigError, Sources, load};
use cress_service::{Shutdown, SystemClock, SystemRandom};

use crate::cli::Logging;
use crate::{logging, runtime};

/// Run control: the fleet, enrolment, signing keys and tokens.
///
/// Settings come from a TOML file, over which environment variables CRESS_CONTROL_... are laid, and over these the flags.
/// `cress config schema control` lists every setting.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  cress control --data-dir /var/lib/cress
  cress control --config /etc/cress/control.toml --issuer https://control.example
  CRESS_CONTROL_NODE_API__LISTEN=0.0.0.0:8421 cress control --config control.toml")]
pub(crate) struct Arguments {
    /// TOML file with settings [env: CRESS_CONTROL_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory that control keeps its state in
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port of the public API
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Base URL at which clients reach the public API
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Issuer that tokens name
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Address and port of the node API
    #[arg(long, value_name = "ADDRESS:PORT")]
    node_api_listen: Option<SocketAddr>,
    /// Address and port of the metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// A proxy in front does TLS: speak plain HTTP on any address
    #[arg(long)]
    behind_proxy: bool,
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
            &Sources::new("control")
                .file(self.config.as_deref())
                .environment(std::env::vars_os())
                .flag("--data-dir", "data_dir", self.data_dir.as_ref())
                .flag("--listen", "listen", self.listen)
                .flag("--public-url", "public_url", self.public_url.as_ref())
                .flag("--issuer", "issuer", self.issuer.as_ref())
                .flag("--node-api-listen", "node_api.listen", self.node_api_listen)
                .flag("--metrics-listen", "metrics.listen", self.metrics_listen)
                .flag("--behind-proxy", "behind_proxy", self.behind_proxy.then_some(true)),
        )
    }
}

pub(crate) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    logging::start(logs, "info")?;
    let config = arguments.load()?;
    config.check()?;
    runtime::of_role()?.block_on(async {
        let shutdown = Shutdown::on_signals(config.drain())?;
        let ports =
            Ports { clock: Arc::new(SystemClock::new()), random: Arc::new(SystemRandom), shutdown: shutdown.clone() };
        let started = cress_control::start(config, ports).await?;
        tracing::info!(
            public_url = %started.public_url,
            node_api = %started.node_api_url,
            metrics = %started.metrics,
            admin_socket = %started.admin_socket.display(),
            "control is ready"
        );
        Ok(runtime::until_stopped(&shutdown).await)
    })
}
