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

use crate::config::{Config, ConfigError, Loaded};
use crate::grpc;
use crate::judge::Judge;
use crate::metrics::AuthzMetrics;
use crate::reload::{Follower, Reload};
use crate::serve::{self, Service};
use crate::warnings;

/// How long the start waits for the issuers' first keys. Requests are refused with 503 while they are missing.
pub(crate) const KEYS_PATIENCE: Duration = Duration::from_secs(5);

/// What the authorization service is given by whoever starts it.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// When to stop; its tasks are spawned on it.
    pub shutdown: Shutdown,
    /// How a new configuration is had while it runs, if it is to be followed.
    pub reload: Option<Reload>,
}

/// An authorization service that has started.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where `/verify` is, without a path.
    pub url: String,
    /// Where gRPC is served, if it is.
    pub grpc: Option<SocketAddr>,
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
    let grpc_listener = match config.grpc.listen {
        Some(address) => Some(Listener::tcp(address, "grpc.listen").await?),
        None => None,
    };
    let loaded = Loaded::read(config.clone())?;
    let judge = Judge::start(&loaded, Arc::clone(&ports.clock))?;
    warnings::log(&config, judge.rules());
    wait_for_keys(&judge).await;
    let started = started(&config, &listener, grpc_listener.as_ref(), &metrics_listener);
    let judge = Arc::new(ArcSwap::from_pointee(judge));
    let metrics = AuthzMetrics::new();

    publish(&metrics, &judge, metrics_listener, &ports);
    follow(&metrics, &judge, loaded, &ports);
    let tls_of = |protocol| certificate.as_ref().map(|certificate| tls(certificate, protocol, &ports)).transpose();
    let (tls, grpc_tls) = (tls_of(Protocol::Http1)?, tls_of(Protocol::Http2)?);
    if let Some(certificate) = certificate {
        certificate.watch(&ports.shutdown);
    }
    let service = Service::new(judge, metrics, Arc::clone(&ports.clock));
    if let Some(listener) = grpc_listener {
        let server = Server::new(listener).tls(grpc_tls).limits(config.limits.of_listener());
        let (service, shutdown) = (service.clone(), ports.shutdown.clone());
        ports.shutdown.spawn_vital("serve gRPC", async move { grpc::serve(server, service, shutdown).await });
    }
    let server = Server::new(listener).tls(tls).limits(config.limits.of_listener());
    let shutdown = ports.shutdown.clone();
    ports.shutdown.spawn_vital("serve /verify", async move { serve::serve(server, service, &shutdown).await });
    Ok(started)
}

fn started(config: &Config, listener: &Listener, grpc: Option<&Listener>, metrics: &Listener) -> Started {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let address = |configured: SocketAddr, listener: &Listener| {
        SocketAddr::new(configured.ip(), listener.port().unwrap_or(configured.port()))
    };
    Started {
        url: format!("{scheme}://{}", address(config.listen, listener)),
        grpc: config.grpc.listen.zip(grpc).map(|(configured, listener)| address(configured, listener)),
        metrics: address(config.metrics.listen, metrics),
    }
}

fn tls(certificate: &FileIdentity, protocol: Protocol, ports: &Ports) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let tls = ServerTls {
        identity: certificate.identity().clone(),
        clients: ClientCertificates::Ignored,
        protocol,
        clock: Arc::clone(&ports.clock),
    };
    tls.config()
}

/// An issuer that is away is no reason not to start: the others' tokens can be checked, and its keys are tried again.
pub(crate) async fn wait_for_keys(judge: &Judge) {
    if let Ok(Err(error)) = tokio::time::timeout(KEYS_PATIENCE, judge.verifier().ready()).await {
        tracing::warn!(%error, "starting without the keys of an issuer; they are tried again");
    }
}

fn follow(metrics: &AuthzMetrics, judge: &Arc<ArcSwap<Judge>>, current: Loaded, ports: &Ports) {
    let Some(reload) = ports.reload.clone() else { return };
    let follower = Follower {
        reload,
        judge: Arc::clone(judge),
        metrics: metrics.clone(),
        clock: Arc::clone(&ports.clock),
        current,
        refused: None,
    };
    let stop = ports.shutdown.token().clone();
    ports.shutdown.spawn("follow the configuration", async move {
        stop.run_until_cancelled(follower.run()).await;
    });
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
