// SPDX-License-Identifier: Apache-2.0
//! The start: everything that can be wrong is found here, and then the tasks run until the process stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_domain::Clock;
use cress_service::Shutdown;
use cress_service::listen::{ListenError, Listener, Server};
use cress_service::metrics::Metrics;
use cress_service::tls::{ClientCertificates, FileIdentity, Protocol, ServerTls, TlsError};
use cress_verify::SettingsError;

use crate::config::{Config, ConfigError};
use crate::judge::Judge;
use crate::metrics::AuthzMetrics;
use crate::serve::{self, Service};

/// How long the start waits for the issuers' first keys. Requests are refused with 503 while they are missing.
const KEYS_PATIENCE: Duration = Duration::from_secs(5);

/// What the authorization service is given by whoever starts it.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// When to stop; its tasks are spawned on it.
    pub shutdown: Shutdown,
}

/// An authorization service that has started.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where `/verify` is, without a path.
    pub url: String,
    /// Where its metrics are served.
    pub metrics: SocketAddr,
}

/// Why it does not start. One sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The issuers cannot.
    #[error("issuers: {0}")]
    Issuers(#[from] SettingsError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Starts it. Returns when it accepts, and has the issuers' keys or has waited for them a while.
///
/// # Errors
/// [`StartError`]
pub async fn start(config: Config, ports: Ports) -> Result<Started, StartError> {
    config.check()?;
    let certificate =
        config.tls.clone().map(|files| FileIdentity::load(files, Arc::clone(&ports.clock))).transpose()?;
    let listener = Listener::tcp(config.listen, "--listen").await?;
    let metrics_listener = Listener::tcp(config.metrics.listen, "metrics.listen").await?;
    let judge = Judge::start(&config, Arc::clone(&ports.clock))?;
    wait_for_keys(&judge).await;
    let started = started(&config, &listener, &metrics_listener);
    let judge = Arc::new(ArcSwap::from_pointee(judge));
    let metrics = AuthzMetrics::new();

    publish(&metrics, &judge, metrics_listener, &ports);
    let tls = certificate.as_ref().map(|certificate| tls(certificate, &ports)).transpose()?;
    if let Some(certificate) = certificate {
        certificate.watch(&ports.shutdown);
    }
    let server = Server::new(listener).tls(tls).limits(config.limits.of_listener());
    let service = Service::new(judge, metrics, Arc::clone(&ports.clock));
    let shutdown = ports.shutdown.clone();
    ports.shutdown.spawn_vital("serve /verify", async move { serve::serve(server, service, &shutdown).await });
    Ok(started)
}

fn started(config: &Config, listener: &Listener, metrics: &Listener) -> Started {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let address = |configured: SocketAddr, listener: &Listener| {
        SocketAddr::new(configured.ip(), listener.port().unwrap_or(configured.port()))
    };
    Started {
        url: format!("{scheme}://{}", address(config.listen, listener)),
        metrics: address(config.metrics.listen, metrics),
    }
}

fn tls(certificate: &FileIdentity, ports: &Ports) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let tls = ServerTls {
        identity: certificate.identity().clone(),
        clients: ClientCertificates::Ignored,
        protocol: Protocol::Http1,
        clock: Arc::clone(&ports.clock),
    };
    tls.config()
}

/// An issuer that is away is no reason not to start: the others' tokens can be checked, and its keys are tried again.
async fn wait_for_keys(judge: &Judge) {
    if let Ok(Err(error)) = tokio::time::timeout(KEYS_PATIENCE, judge.verifier().ready()).await {
        tracing::warn!(%error, "starting without the keys of an issuer; they are tried again");
    }
}

fn publish(metrics: &AuthzMetrics, judge: &Arc<ArcSwap<Judge>>, listener: Listener, ports: &Ports) {
    let published = Metrics::new(env!("CARGO_PKG_VERSION"), ports.clock.as_ref());
    published.register(|registry| metrics.register(registry, Arc::clone(judge)));
    let shutdown = ports.shutdown.clone();
    ports.shutdown.spawn_vital("serve metrics", async move { published.serve(listener, &shutdown).await });
}

impl fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ports").finish_non_exhaustive()
    }
}
