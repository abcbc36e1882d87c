// SPDX-License-Identifier: Apache-2.0
//! The tasks of a running control. All of them are vital: without any one of them control would only seem to work.

use std::sync::Arc;

use cress_service::Shutdown;
use cress_service::data_dir::DataDir;
use cress_service::listen::Server;
use cress_service::metrics::Metrics;
use cress_service::shutdown::Drained;
use cress_service::tls::{ClientCertificates, FileIdentity, Protocol, ServerTls};
use cress_store::Database;
use tokio::sync::watch;

use super::listeners::Listeners;
use super::{CA_FILE, Opened, StartError, Started};
use crate::admin::{self, Admin, AdminParts};
use crate::config::Config;
use crate::housekeeping;
use crate::metrics::{Gauges, KeysSeen};
use crate::placement::{Reconciler, ReconcilerParts};
use crate::ports::Ports;
use crate::publish::{self, Public};

/// Spawns everything. Nothing is spawned if it fails.
pub(super) fn serve(
    config: &Config,
    started: &Started,
    opened: Opened,
    listeners: Listeners,
    certificate: Option<FileIdentity>,
    ports: &Ports,
) -> Result<(), StartError> {
    let server = public_server(config, listeners.public, certificate.as_ref(), ports)?;
    let reconciler = Reconciler::new(reconciler_parts(&opened, ports));
    let keys_seen = KeysSeen::default();
    let metrics = metrics(&opened, &reconciler, &keys_seen, ports);
    let public = public(config, started, &opened, ports);
    let admin = admin(&opened, ports);

    // A child, so that the store is closed and the data directory released only when every task has ended.
    let tasks = ports.shutdown.child();
    if let Some(certificate) = certificate {
        certificate.watch(&tasks);
    }
    let (ring, store, counters) = (opened.ring.clone(), opened.store.clone(), opened.counters.clone());
    spawn_ring(&opened, &tasks);
    let trust = opened.node_side.fleet().clock_trust().clone();
    let comparison = trust.follow(opened.database.clone(), config.store.clock_apart_max(), tasks.requested());
    tasks.spawn_vital("compare the clock with the database's", comparison);
    let authorities = (opened.node_side.ca().subscribe(), Arc::clone(&opened.data_dir));
    tasks.spawn_vital("keep ca.pem", keep_ca_file(authorities, tasks.requested()));
    opened.node_side.spawn(listeners.node_api, &tasks);
    tasks.spawn_vital("place instances", reconciler.run(tasks.requested()));
    tasks.spawn_vital("forget what is over", housekeeping::run(store, Arc::clone(&ports.clock), tasks.requested()));
    let key_encryption = opened.key_encryption.clone();
    tasks.spawn_vital("tell of key-encryption keys", key_encryption.tell(tasks.requested()));
    tasks.spawn_vital("list keys for metrics", keys_seen.follow(ring, counters, tasks.requested()));
    tasks.spawn_vital("serve the admin API", admin::serve(listeners.admin, admin, tasks.clone()));
    tasks.spawn_vital("serve the public API", publish::serve(server, public, tasks.clone()));
    let (listener, stop) = (listeners.metrics, tasks.clone());
    tasks.spawn_vital("serve metrics", async move { metrics.serve(listener, &stop).await });
    let (database, data_dir) = (opened.database, opened.data_dir);
    ports.shutdown.spawn_vital("close the store", async move {
        close(tasks, database).await;
        drop(data_dir);
    });
    Ok(())
}

fn spawn_ring(opened: &Opened, tasks: &Shutdown) {
    let (ring, stop) = (opened.ring.clone(), tasks.requested());
    let trust = opened.node_side.fleet().clock_trust().clone();
    let keep = async move {
        loop {
            ring.run(trust.lost()).await;
            trust.regained().await;
        }
    };
    tasks.spawn_vital("keep the key ring", async move {
        tokio::select! {
            () = keep => {}
            () = stop => {}
        }
    });
}

/// The file with the authorities that nodes trust follows them.
async fn keep_ca_file(
    (mut authorities, data_dir): (watch::Receiver<Arc<str>>, Arc<DataDir>),
    stop: impl Future<Output = ()> + Send,
) {
    let keep = async {
        while authorities.changed().await.is_ok() {
            let pem = Arc::clone(&authorities.borrow_and_update());
            if let Err(error) = data_dir.write(CA_FILE, pem.as_bytes()) {
                tracing::error!(%error, "the file of the certificate authorities is not up to date");
            }
        }
    };
    tokio::select! {
        () = keep => {}
        () = stop => {}
    }
}

async fn close(tasks: Shutdown, database: Database) {
    tasks.requested().await;
    if let Drained::Abandoned { tasks } = tasks.drain().await {
        tracing::warn!(tasks, "control stops with work undone");
    }
    database.close().await;
}

fn public_server(
    config: &Config,
    listener: cress_service::listen::Listener,
    certificate: Option<&FileIdentity>,
    ports: &Ports,
) -> Result<Server, StartError> {
    let tls = certificate.map(|certificate| ServerTls {
        identity: certificate.identity().clone(),
        clients: ClientCertificates::Ignored,
        protocol: Protocol::Http1,
        clock: Arc::clone(&ports.clock),
    });
    let tls = tls.map(|tls| tls.config()).transpose()?;
    Ok(Server::new(listener).tls(tls).limits(config.limits.of_listener()))
}

fn reconciler_parts(opened: &Opened, ports: &Ports) -> ReconcilerParts {
    ReconcilerParts {
        store: opened.store.clone(),
        waker: opened.node_side.waker().clone(),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
        counters: opened.counters.clone(),
    }
}

fn metrics(opened: &Opened, reconciler: &Reconciler, keys: &KeysSeen, ports: &Ports) -> Metrics {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), ports.clock.as_ref());
    let gauges = Gauges {
        fleet: opened.node_side.fleet().clone(),
        keys: keys.clone(),
        ca: opened.node_side.ca().clone(),
        pending: reconciler.pending(),
        clock: Arc::clone(&ports.clock),
    };
    metrics.register(|registry| {
        opened.counters.register(registry);
        registry.register_collector(Box::new(gauges));
    });
    metrics
}

fn public(config: &Config, started: &Started, opened: &Opened, ports: &Ports) -> Public {
    Public {
        ring: opened.ring.clone(),
        issuer: started.issuer.clone(),
        jwks_url: started.jwks_url.as_str().into(),
        cache_life: config.schedule.settings(&config.kid_prefix).jwks_cache_life,
        fleet: opened.node_side.fleet().clone(),
        ca: opened.node_side.ca().clone(),
        store: opened.store.clone(),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
    }
}

fn admin(opened: &Opened, ports: &Ports) -> Admin {
    Admin::new(AdminParts {
        store: opened.store.clone(),
        ring: opened.ring.clone(),
        key_encryption: opened.key_encryption.clone(),
        ca: opened.node_side.ca().clone(),
        fleet: opened.node_side.fleet().clone(),
        waker: opened.node_side.waker().clone(),
        token_shape: opened.token_shape.clone(),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
        counters: opened.counters.clone(),
    })
}
