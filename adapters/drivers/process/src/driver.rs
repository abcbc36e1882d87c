// SPDX-License-Identifier: Apache-2.0
//! The driver: which instances have a place, and what the supervisor is asked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::InstanceId;
use cress_driver::{Adopted, Driver, DriverError, ExecOutcome, Launch, Operation, Running, Sandbox};

use crate::link::{Link, Reply};
use crate::protocol::{End, Refusal, Request, Start};
use crate::{Network, ProcessDriverConfig, environment, leftovers, log_files, namespace};

const HOST_NOTICE: &str = "the process driver isolates nothing: instances run as the node's own user, see its files and \
    processes, and share its network, so every local user and process can ask any instance's metadata port for that \
    instance's token; use it for development only";
const NAMESPACE_NOTICE: &str = "the process driver isolates the network only: each instance has a namespace of its own, \
    without a way out, but runs as the node's own user (root), sees its files and processes, and could enter any other \
    namespace; use it for development only";

/// Runs instances as processes. Needs a tokio runtime with I/O and time.
#[derive(Debug)]
pub struct ProcessDriver {
    config: ProcessDriverConfig,
    places: Mutex<HashMap<InstanceId, Arc<Place>>>,
    supervisor: tokio::sync::Mutex<Supervisor>,
}

/// The place of an instance; none before `prepare` and after `release`. Its lock orders those with `start`.
type Place = tokio::sync::Mutex<Option<Sandbox>>;

#[derive(Debug)]
enum Supervisor {
    NotStarted,
    Started(Arc<Link>),
    ShutDown,
}

impl ProcessDriver {
    /// A driver that has started nothing yet.
    #[must_use]
    pub fn new(config: ProcessDriverConfig) -> Self {
        Self { config, places: Mutex::default(), supervisor: tokio::sync::Mutex::new(Supervisor::NotStarted) }
    }

    /// The log file of an instance; with `.1` appended, its predecessor.
    #[must_use]
    pub fn log_file(&self, id: InstanceId) -> PathBuf {
        log_files::path(&self.config.directory, id)
    }

    /// The supervisor, started if there is none, or none any more.
    async fn link(&self) -> Result<Arc<Link>, Refusal> {
        let mut supervisor = self.supervisor.lock().await;
        match &*supervisor {
            Supervisor::Started(link) if !link.is_closed() => return Ok(Arc::clone(link)),
            Supervisor::ShutDown => return Err(Refusal::permanent("the driver was shut down")),
            Supervisor::Started(_) | Supervisor::NotStarted => {}
        }
        let directory = self.config.directory.clone();
        blocking(move || leftovers::end_previous(&directory)).await?;
        let link = Link::open(&self.config).await?;
        let (directory, note) = (self.config.directory.clone(), link.note());
        blocking(move || leftovers::write_note(&directory, &note)).await?;
        let link = Arc::new(link);
        *supervisor = Supervisor::Started(Arc::clone(&link));
        Ok(link)
    }

    /// The supervisor if one runs; if none does, no instance does.
    async fn running_link(&self) -> Option<Arc<Link>> {
        match &*self.supervisor.lock().await {
            Supervisor::Started(link) => Some(Arc::clone(link)),
            Supervisor::NotStarted | Supervisor::ShutDown => None,
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<InstanceId, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, id: InstanceId) -> Arc<Place> {
        Arc::clone(self.places().entry(id).or_default())
    }

    /// Forgets the place unless it is taken, or someone is about to take it.
    fn forget(&self, id: InstanceId, place: Arc<Place>) {
        let mut places = self.places();
        // This one and the table's: others are made under the table's lock only.
        let is_unused = Arc::strong_count(&place) == 2 && place.try_lock().is_ok_and(|sandbox| sandbox.is_none());
        if is_unused {
            places.remove(&id);
        }
    }

    async fn make_sandbox(&self, id: InstanceId) -> Result<Sandbox, Refusal> {
        match self.config.network {
            Network::Host => Ok(Sandbox::LoopbackPort),
            Network::Namespace => {
                let directory = self.config.directory.clone();
                blocking(move || namespace::create(&directory, id)).await.map(Sandbox::NetworkNamespace)
            }
        }
    }

    async fn remove_sandbox(&self, id: InstanceId, sandbox: &Sandbox) -> Result<(), Refusal> {
        let Sandbox::NetworkNamespace(_) = sandbox else { return Ok(()) };
        let directory = self.config.directory.clone();
        blocking(move || namespace::remove(&directory, id)).await
    }

    fn start_request(&self, id: InstanceId, launch: Launch, sandbox: &Sandbox) -> Result<Start, Refusal> {
        if let Some(refused) = environment::refusal(&launch.command, &launch.environment) {
            return Err(Refusal::permanent(refused));
        }
        let log = self.log_file(id).into_os_string().into_string();
        let namespace = match sandbox {
            Sandbox::LoopbackPort => None,
            Sandbox::NetworkNamespace(path) => Some(path.to_string_lossy().into_owned()),
        };
        Ok(Start {
            command: launch.command,
            environment: environment::complete(launch.environment),
            stop_grace_ms: milliseconds(launch.stop_grace),
            namespace,
            log: log.map_err(|path| Refusal::permanent(format!("expected a data directory in UTF-8, got {path:?}")))?,
            log_bytes_max: self.config.log_bytes_max,
        })
    }

    async fn start_in(&self, id: InstanceId, launch: Launch) -> Result<Running, Refusal> {
        let place = self.places().get(&id).map(Arc::clone).ok_or_else(not_prepared)?;
        // Held until it has started, so that its place is not removed meanwhile.
        let sandbox = place.lock().await;
        let start = self.start_request(id, launch, sandbox.as_ref().ok_or_else(not_prepared)?)?;
        let (sender, running) = Running::begin();
        let start = |request| Request::Start { request, instance: id, launch: start };
        match self.link().await?.ask(start, Some(sender)).await {
            Reply::Started => Ok(running),
            other => Err(other.unexpected()),
        }
    }

    async fn exec_in(&self, id: InstanceId, command: Vec<String>, timeout: Duration) -> Result<Option<End>, Refusal> {
        if let Some(refused) = environment::refusal(&command, &std::collections::BTreeMap::new()) {
            return Err(Refusal::permanent(refused));
        }
        let not_running = || Refusal::temporary("expected an instance that runs; try again when it does");
        let link = self.running_link().await.ok_or_else(not_running)?;
        let timeout_ms = milliseconds(timeout);
        match link.ask(|request| Request::Exec { request, instance: id, command, timeout_ms }, None).await {
            Reply::ExecEnded(end) => Ok(end),
            other => Err(other.unexpected()),
        }
    }

    async fn stop_run(&self, id: InstanceId, grace: Duration) -> Result<(), Refusal> {
        let Some(link) = self.running_link().await else { return Ok(()) };
        let grace_ms = milliseconds(grace);
        match link.ask(|request| Request::Stop { request, instance: id, grace_ms }, None).await {
            Reply::Stopped | Reply::Lost { is_all_gone: true } => Ok(()),
            other => Err(other.unexpected()),
        }
    }

    async fn release_place(&self, id: InstanceId) -> Result<(), Refusal> {
        let Some(place) = self.places().get(&id).map(Arc::clone) else { return Ok(()) };
        let mut sandbox = place.lock().await;
        if let Some(taken) = &*sandbox {
            self.stop_run(id, Duration::ZERO).await?;
            self.remove_sandbox(id, taken).await?;
            *sandbox = None;
        }
        drop(sandbox);
        self.forget(id, place);
        let (directory, live) = (self.config.directory.clone(), self.places().keys().copied().collect());
        blocking(move || {
            log_files::prune(&directory, &live);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Driver for ProcessDriver {
    fn name(&self) -> &'static str {
        "process"
    }

    fn isolation_notice(&self) -> &'static str {
        match self.config.network {
            Network::Host => HOST_NOTICE,
            Network::Namespace => NAMESPACE_NOTICE,
        }
    }

    /// Instances end with the agent, so there is nothing to take over. What an earlier life left is removed; if its
    /// supervisor is still ending instances, it gets 10 s for it.
    async fn adopt(&self) -> Result<Vec<Adopted>, DriverError> {
        let adopted = async {
            self.link().await?;
            let directory = self.config.directory.clone();
            blocking(move || namespace::remove_noted(&directory)).await
        };
        adopted.await.map(|()| Vec::new()).map_err(|refusal| error(Operation::Adopt, &refusal))
    }

    async fn prepare(&self, id: InstanceId) -> Result<Sandbox, DriverError> {
        let place = self.place(id);
        let mut sandbox = place.lock().await;
        if let Some(taken) = &*sandbox {
            return Ok(taken.clone());
        }
        match self.make_sandbox(id).await {
            Ok(made) => Ok(sandbox.insert(made).clone()),
            Err(refusal) => {
                drop(sandbox);
                self.forget(id, place);
                Err(error(Operation::Prepare, &refusal).of(id))
            }
        }
    }

    async fn start(&self, id: InstanceId, launch: Launch) -> Result<Running, DriverError> {
        self.start_in(id, launch).await.map_err(|refusal| error(Operation::Start, &refusal).of(id))
    }

    async fn stop(&self, id: InstanceId, grace: Duration) -> Result<(), DriverError> {
        self.stop_run(id, grace).await.map_err(|refusal| error(Operation::Stop, &refusal).of(id))
    }

    async fn exec(&self, id: InstanceId, command: Vec<String>, timeout: Duration) -> Result<ExecOutcome, DriverError> {
        let end = self.exec_in(id, command, timeout).await;
        end.map(End::outcome).map_err(|refusal| error(Operation::Exec, &refusal).of(id))
    }

    async fn release(&self, id: InstanceId) -> Result<(), DriverError> {
        self.release_place(id).await.map_err(|refusal| error(Operation::Release, &refusal).of(id))
    }

    /// All runs end, each with the grace of its [`Launch`]; places made in the file system are removed.
    async fn shutdown(&self) {
        let before = std::mem::replace(&mut *self.supervisor.lock().await, Supervisor::ShutDown);
        if let Supervisor::Started(link) = before {
            link.close().await;
        }
        let directory = self.config.directory.clone();
        if let Err(refusal) = blocking(move || namespace::remove_noted(&directory)).await {
            tracing::warn!(reason = refusal.message, "network namespaces are left, to be removed at the next start");
        }
    }
}

fn not_prepared() -> Refusal {
    Refusal::permanent("expected an instance that was prepared; prepare it first")
}

fn error(operation: Operation, refusal: &Refusal) -> DriverError {
    DriverError::new(refusal.kind(), operation, refusal.message.clone())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_ended| Err(Refusal::temporary("its helper thread ended early; try again")))
}
