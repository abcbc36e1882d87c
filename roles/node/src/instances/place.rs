// SPDX-License-Identifier: Apache-2.0
//! Where an instance runs and is answered: its sandbox, and its metadata service in it.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cress_domain::InstanceId;
use cress_driver::Sandbox;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::InstanceBackend;
use super::ports::{PortError, Ports};
use super::probes::Network;
use crate::imds::{Limits, Server, ServerError, Statistics};
use crate::netns::{Namespace, NamespaceError, NamespaceIdentity};

/// What all places of the node share.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) ports: Arc<Ports>,
    limits: Limits,
    namespaces: Arc<Mutex<HashSet<NamespaceIdentity>>>,
}

/// An instance's metadata service, served until it is closed, or dropped.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) network: Network,
    pub(super) statistics: Arc<Statistics>,
    stop: DropGuard,
    serving: JoinHandle<()>,
    _claim: Option<Claim>,
}

/// Why an instance has no metadata service.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(
        "the network namespace {} is another instance's already; each instance needs one of its own, or one could ask for the other's token",
        .0.display()
    )]
    Shared(PathBuf),
    #[error("the agent is stopping")]
    Stopping,
}

impl Places {
    pub(super) fn new(ports: Ports, limits: Limits) -> Self {
        Self { ports: Arc::new(ports), limits, namespaces: Arc::default() }
    }

    /// Opens the instance's listener in its sandbox and serves on it.
    pub(super) async fn open(
        &self,
        id: InstanceId,
        sandbox: Sandbox,
        backend: InstanceBackend,
    ) -> Result<Place, PlaceError> {
        let (ports, namespaces) = (Arc::clone(&self.ports), Arc::clone(&self.namespaces));
        // Entering a namespace and keeping a port's number both block for a moment.
        let opened = tokio::task::spawn_blocking(move || match sandbox {
            Sandbox::LoopbackPort => Ok((ports.listen(id)?, Network::Host, None)),
            Sandbox::NetworkNamespace(path) => listen_inside(&path, &namespaces),
        });
        let (listener, network, claim) = opened.await.map_err(|_join| PlaceError::Stopping)??;
        let server = Server::new(Arc::new(backend), listener, self.limits.clone())?;
        let (address, statistics, stop) = (server.address(), server.statistics(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(stop.clone()));
        Ok(Place { address, network, statistics, stop: stop.drop_guard(), serving, _claim: claim })
    }
}

impl Place {
    /// Closes the listener, and waits for the requests at hand as long as the limits say.
    pub(super) async fn close(self) {
        drop(self.stop);
        if self.serving.await.is_err() {
            tracing::error!("a metadata service ended with a panic");
        }
    }
}

/// One instance's hold on its namespace.
#[derive(Debug)]
struct Claim {
    identity: NamespaceIdentity,
    namespaces: Arc<Mutex<HashSet<NamespaceIdentity>>>,
}

impl Claim {
    fn take(identity: NamespaceIdentity, namespaces: &Arc<Mutex<HashSet<NamespaceIdentity>>>) -> Option<Self> {
        let is_new = namespaces.lock().unwrap_or_else(PoisonError::into_inner).insert(identity);
        is_new.then(|| Self { identity, namespaces: Arc::clone(namespaces) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.identity);
    }
}

type Opened = (TcpListener, Network, Option<Claim>);

fn listen_inside(path: &Path, namespaces: &Arc<Mutex<HashSet<NamespaceIdentity>>>) -> Result<Opened, PlaceError> {
    let namespace = Namespace::open(path)?;
    let claim = Claim::take(namespace.identity(), namespaces).ok_or_else(|| PlaceError::Shared(path.to_owned()))?;
    let listener = namespace.listen()?;
    Ok((listener, Network::Namespace(Arc::new(namespace)), Some(claim)))
}
