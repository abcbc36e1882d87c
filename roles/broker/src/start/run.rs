// SPDX-License-Identifier: Apache-2.0
//! The tasks of a running broker.

use std::sync::Arc;

use cress_service::Shutdown;
use cress_service::data_dir::DataDir;
use cress_service::listen::Server;
use cress_service::metrics::Metrics;
use cress_service::shutdown::Drained;
use cress_service::tls::{ClientCertificates, FileIdentity, Protocol, ServerTls};
use cress_store::Database;

use super::listeners::Listeners;
use super::opened::Opened;
use super::{Ports, StartError};
use crate::admin;
use crate::broker::Broker;
use crate::config::Config;
use crate::http::{self, Documents, Service};
use crate::reload::Follower;

/// Spawns everything. Nothing is spawned if it fails.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part that only the start has in its hands, and gives away here"
)]
pub(super) fn serve(
    config: &Config,
    broker: Arc<Broker>,
    opened: Opened,
    listeners: Listeners,
    certificate: Option<FileIdentity>,
    data_dir: Arc<DataDir>,
    ports: &Ports,
    tasks: &Shutdown,
) -> Result<(), StartError> {
    let server = Server::new(listeners.api).tls(tls(certificate.as_ref(), ports)?).limits(config.limits.of_listener());
    let metrics = metrics(&broker, &opened, ports);
    if let Some(certificate) = certificate {
        certificate.watch(tasks);
    }
    opened.spawn(tasks);
    follow(&broker, ports, tasks);
    let service = Service::new(Arc::clone(&broker), Arc::new(Documents::new(&broker)));
    let stop = tasks.clone();
    tasks.spawn_vital("serve the API", async move { http::serve(server, service, &stop).await });
    let random = Arc::clone(&ports.random);
    let operator = admin::serve(listeners.operator, broker, random, tasks.clone());
    tasks.spawn_vital("serve the operator's API", operator);
    let (listener, stop) = (listeners.metrics, tasks.clone());
    tasks.spawn_vital("serve metrics", async move { metrics.serve(listener, &stop).await });
    let (tasks, database) = (tasks.clone(), opened.database);
    ports.shutdown.spawn_vital("close the store", async move {
        close(tasks, database).await;
        drop(data_dir);
    });
    Ok(())
}

async fn close(tasks: Shutdown, database: Database) {
    tasks.requested().await;
    if let Drained::Abandoned { tasks } = tasks.drain().await {
        tracing::warn!(tasks, "the broker stops with work undone; the next start goes on with it");
    }
    database.close().await;
}

fn tls(certificate: Option<&FileIdentity>, ports: &Ports) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let tls = certificate.map(|certificate| ServerTls {
        identity: certificate.identity().clone(),
        clients: ClientCertificates::Ignored,
        protocol: Protocol::Http1,
        clock: Arc::clone(&ports.clock),
    });
    Ok(tls.map(|tls| tls.config()).transpose()?)
}

fn metrics(broker: &Arc<Broker>, opened: &Opened, ports: &Ports) -> Metrics {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), ports.clock.as_ref());
    metrics.register(|registry| opened.metrics.register(registry, broker));
    opened.register(&metrics);
    metrics
}

fn follow(broker: &Arc<Broker>, ports: &Ports, tasks: &Shutdown) {
    let Some(reload) = ports.reload.clone() else { return };
    let follower = Follower { reload, broker: Arc::clone(broker), refused: None };
    let stop = tasks.token().clone();
    tasks.spawn("follow the configuration", async move {
        stop.run_until_cancelled(follower.run()).await;
    });
}
