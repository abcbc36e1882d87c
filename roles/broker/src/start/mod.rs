// SPDX-License-Identifier: Apache-2.0
//! The broker's start: check, lock, listen, open, and only then serve. Whatever fails before the end leaves nothing running.

mod error;
mod key_encryption;
mod listeners;
mod opened;
mod records;
mod run;
mod secrets_reader;
mod unopened;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use cress_domain::{Audience, Clock, Issuer, Random};
use cress_service::Shutdown;
use cress_service::data_dir::DataDir;
use cress_service::tls::FileIdentity;

pub use error::StartError;
pub use records::{Records, RecordsError};
pub(crate) use secrets_reader::RootSecrets;
pub(crate) use unopened::{NothingStored, Unsigned};

use crate::broker::{Broker, BrokerParts, Running};
use crate::caller::Buckets;
use crate::config::{Config, Loaded};
use crate::decision::ProviderBuilder;
use crate::reload::{Reload, wait_for_keys};
use listeners::Listeners;
use opened::{Opened, database_of};

/// What the broker is given by whoever starts it.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// When to stop; its tasks are spawned on it.
    pub shutdown: Shutdown,
    /// How a new configuration is had while it runs, if it is to be followed.
    pub reload: Option<Reload>,
    /// The kinds of providers that there are.
    pub providers: ProviderBuilder,
}

/// Where a running broker is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Base URL of the API.
    pub url: String,
    /// Where the API listens.
    pub address: SocketAddr,
    /// Whom workloads' tokens must be meant for.
    pub audience: Audience,
    /// Who signs what it signs.
    pub issuer: Issuer,
    /// Where the metrics are served, at `/metrics`.
    pub metrics: SocketAddr,
    /// The socket of the operator's API.
    pub socket: PathBuf,
}

/// Starts the broker, and returns when every listener accepts. It runs until `ports.shutdown` asks to stop; its drain waits for all of
/// it. A part that fails for good asks to stop by itself.
///
/// # Errors
/// [`StartError`]: one sentence that says what to do.
pub async fn start(config: Config, ports: Ports) -> Result<Started, StartError> {
    config.check_own()?;
    let certificate =
        config.tls.clone().map(|files| FileIdentity::load(files, Arc::clone(&ports.clock))).transpose()?;
    let data_dir = Arc::new(DataDir::open(&config.data_dir)?);
    let listeners = Listeners::open(&config, &data_dir).await?;
    let address = listeners.api_address(&config);
    // A port that the system chose may make the address another than it was when the issuers were looked at.
    for (name, issuer) in &config.issuers {
        config.check_not_own(&format!("issuers.{name}"), &issuer.issuer_name(name)?, address)?;
    }
    let issuer = config.own_issuer(address)?;
    // A child, so that the store is closed and the data directory released only when every task has ended.
    let tasks = ports.shutdown.child();
    let opened = Opened::open(&config, &data_dir, &issuer, &ports, &tasks).await?;
    let parts = BrokerParts {
        url: issuer.as_str().to_owned(),
        leases: opened.leases.clone(),
        audit: opened.audit.clone(),
        signer: opened.signer.clone(),
        secrets: opened.secrets.clone(),
        buckets: Arc::new(Buckets::new()),
        build: Arc::clone(&ports.providers),
        providers: opened.provider_ports(&ports),
        metrics: opened.metrics.clone(),
        clock: Arc::clone(&ports.clock),
        shutdown: tasks.clone(),
    };
    let running =
        Running::start(Loaded::read(config.clone())?, None, &parts.callers(), &parts.build, &parts.providers)?;
    for warning in running.warnings() {
        tracing::warn!("{warning}");
    }
    wait_for_keys(&running).await;
    parts.leases.reload(running.targets());
    let broker = Arc::new(Broker::new(running, parts));
    let started = Started {
        url: issuer.as_str().to_owned(),
        address,
        audience: config.audience.clone(),
        issuer,
        metrics: listeners.metrics_address(&config),
        socket: data_dir.file(cress_api::broker::SOCKET_FILE),
    };
    run::serve(&config, broker, opened, listeners, certificate, data_dir, &ports, &tasks)?;
    Ok(started)
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ports").finish_non_exhaustive()
    }
}
