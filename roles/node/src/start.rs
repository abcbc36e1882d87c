// SPDX-License-Identifier: Apache-2.0
//! The start of a node: everything that can be wrong with it is found here, and then its tasks run until the process stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use cress_domain::{Clock, MachineId, Random};
use cress_driver::{Driver, DriverError};
use cress_service::data_dir::{DataDir, DataDirError};
use cress_service::listen::{ListenError, Listener};
use cress_service::metrics::Metrics;
use cress_service::shutdown::Shutdown;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError};
use crate::instances::{Context, InstanceSummary, Instances, Parts};
use crate::link::{BOOT_ID_BYTES, ConnectionSender, ControlTokens, Link, Target};
use crate::membership::{Means, Membership, MembershipError, join, renew_ahead};
use crate::metrics::NodeMetrics;
use crate::tokens::TokenCache;

/// What a node is given by whoever starts it.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// When to stop; the node's tasks are spawned on it.
    pub shutdown: Shutdown,
    /// What runs instances.
    pub driver: Arc<dyn Driver>,
}

/// A node that has started.
#[derive(Debug)]
pub struct Started {
    /// Where its metrics are served.
    pub metrics: SocketAddr,
    /// Who it is.
    pub machine_id: MachineId,
    /// Its instances, in the order of their metadata services' addresses, as they change.
    pub instances: watch::Receiver<Vec<InstanceSummary>>,
}

/// Why a node does not start. One sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The metrics have no listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It is no member of a fleet, and cannot become one.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// What an earlier life left cannot be dealt with.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Starts a node. Returns when it is a member of its fleet and its listeners accept; whether control can be reached just
/// then matters for the first enrolment alone, which is tried until it succeeds or the process is asked to stop. The caller
/// waits for `shutdown` and drains it: the instances end within that.
///
/// # Errors
/// [`StartError`]
pub async fn start(config: Config, ports: Ports) -> Result<Started, StartError> {
    config.check()?;
    let target = Target::of(&config)?;
    let data_dir = Arc::new(DataDir::open(&config.data_dir)?);
    let listener = Listener::tcp(config.metrics.listen, "metrics.listen").await?;
    let means =
        Means { data_dir: Arc::clone(&data_dir), clock: Arc::clone(&ports.clock), random: Arc::clone(&ports.random) };
    let membership = Arc::new(join(&config, means, &ports.shutdown).await?);
    let adopted = ports.driver.adopt().await?;

    let connection = ConnectionSender::new();
    let source = Arc::new(ControlTokens::new(connection.subscribe()));
    let tokens = TokenCache::new(source, Arc::clone(&ports.clock), Arc::clone(&ports.random));
    let metrics = NodeMetrics::default();
    let parts = Parts {
        driver: Arc::clone(&ports.driver),
        machine_id: membership.machine_id(),
        tokens: tokens.clone(),
        metrics: metrics.clone(),
        data_dir,
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
    };
    let instances = Instances::new(Context::new(parts, &config), adopted, ports.shutdown.clone());
    let started = Started {
        metrics: SocketAddr::new(config.metrics.listen.ip(), listener.port().unwrap_or_default()),
        machine_id: membership.machine_id(),
        instances: instances.summaries(),
    };
    let node = Node { membership, connection, tokens, metrics, instances };
    node.spawn(target, config.capacity, listener, &ports);
    Ok(started)
}

/// The parts of a node that its tasks share.
struct Node {
    membership: Arc<Membership>,
    connection: ConnectionSender,
    tokens: TokenCache,
    metrics: NodeMetrics,
    instances: Instances,
}

impl Node {
    fn spawn(self, target: Target, capacity: u32, listener: Listener, ports: &Ports) {
        let shutdown = &ports.shutdown;
        self.publish(listener, ports);
        let renewal = renew_ahead(
            Arc::clone(&self.membership),
            self.connection.subscribe(),
            self.metrics.clone(),
            shutdown.clone(),
        );
        shutdown.spawn_vital("renew the node's certificate", renewal);

        // Instances may ask for tokens, and control for how they are, until they have ended: so these go last.
        let after_instances = CancellationToken::new();
        let tokens = self.tokens.clone();
        let stop = after_instances.clone().cancelled_owned();
        shutdown.spawn_vital("fetch tokens", async move { tokens.run(stop).await });
        let mut boot_id = [0; BOOT_ID_BYTES];
        ports.random.fill(&mut boot_id);
        let link = Link {
            target,
            capacity,
            boot_id,
            membership: self.membership,
            connection: self.connection,
            instances: self.instances.clone(),
            tokens: self.tokens,
            metrics: self.metrics,
            random: Arc::clone(&ports.random),
        };
        shutdown.spawn_vital("link to control", link.run(after_instances.clone()));
        let (instances, requested) = (self.instances, shutdown.requested());
        shutdown.spawn_vital("end instances", async move {
            let _afterwards = after_instances.drop_guard();
            requested.await;
            instances.drain().await;
        });
    }

    fn publish(&self, listener: Listener, ports: &Ports) {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), ports.clock.as_ref());
        metrics.register(|registry| {
            let membership = Arc::clone(&self.membership);
            self.tokens.metrics().register(registry);
            self.metrics.register(registry);
            let certificate_until = move || membership.not_after().unix_seconds();
            self.metrics.register_instances(registry, self.instances.summaries(), certificate_until);
        });
        let shutdown = ports.shutdown.clone();
        ports.shutdown.spawn_vital("serve metrics", async move { metrics.serve(listener, &shutdown).await });
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ports").field("driver", &self.driver).finish_non_exhaustive()
    }
}
