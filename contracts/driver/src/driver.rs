// SPDX-License-Identifier: Apache-2.0
//! What every driver does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::InstanceId;

use crate::{DriverError, Exit, Running};

/// Runs instances.
///
/// An instance's life is `prepare`, then `start` and `stop` as often as the agent likes, then `release`. All methods may be
/// called from many tasks at once, also for one instance. Dropping a returned future does not undo what it asked for.
#[async_trait]
pub trait Driver: Send + Sync + fmt::Debug {
    /// Short name for configuration and logs, such as `process`.
    fn name(&self) -> &'static str;

    /// What this driver does not isolate, in a sentence or two for the operator, printed when the agent starts.
    fn isolation_notice(&self) -> &'static str;

    /// Takes over what an earlier life of the agent left running, and removes what it left half done. Called once, before
    /// anything else. A driver whose instances end with the agent returns none.
    ///
    /// # Errors
    /// [`DriverError`] if the leftovers can neither be taken over nor removed.
    async fn adopt(&self) -> Result<Vec<Adopted>, DriverError>;

    /// Makes the place in which the instance will run, for the agent to put its metadata service there before the first
    /// `start`. Done again it returns the same place.
    ///
    /// # Errors
    /// [`DriverError`]: no right or no room to make it.
    async fn prepare(&self, id: InstanceId) -> Result<Sandbox, DriverError>;

    /// Starts the instance's command in its place. The returned [`Running`] yields its end exactly once, when nothing of
    /// this run is left: what the command left behind when it ended by itself has been killed by then.
    ///
    /// # Errors
    /// Permanent: not prepared, already running, unknown program, impossible command or environment. Temporary: the
    /// machine has no room just now.
    async fn start(&self, id: InstanceId, launch: Launch) -> Result<Running, DriverError>;

    /// Ends the instance's run: SIGTERM to all of it, SIGKILL to what is left after `grace`, and returns when nothing is
    /// left; the run's [`Running`] yields too. No error if it does not run. The place stays, for another `start`.
    ///
    /// # Errors
    /// [`DriverError`] if it cannot be told that everything has ended.
    async fn stop(&self, id: InstanceId, grace: Duration) -> Result<(), DriverError>;

    /// Runs a command beside the instance's own, with its environment and in its place, for `exec` probes. Its output is
    /// discarded. What is left of it after `timeout` is killed.
    ///
    /// # Errors
    /// Permanent: unknown program, impossible command. Temporary: the instance does not run.
    async fn exec(&self, id: InstanceId, command: Vec<String>, timeout: Duration) -> Result<ExecOutcome, DriverError>;

    /// Removes the instance's place; what still runs in it is killed at once. No error if there is none.
    ///
    /// # Errors
    /// [`DriverError`] if something could not be removed; it can be called again.
    async fn release(&self, id: InstanceId) -> Result<(), DriverError>;

    /// Ends the driver's own helpers, and with them whatever cannot run without them (each run with the grace of its
    /// [`Launch`]). The driver is of no use afterwards. Instances that another life of the agent can adopt keep running.
    async fn shutdown(&self);
}

/// Where an instance's metadata service is to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sandbox {
    /// The instance shares the node's network: the service gets a loopback port of the agent's choice, which the instance
    /// is told through its environment.
    LoopbackPort,
    /// The instance has a network namespace of its own, at this path, which exists already: the service gets
    /// 169.254.169.254:80 in it.
    NetworkNamespace(PathBuf),
}

/// What is started.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Launch {
    /// Program and arguments; a program without a slash is searched in the instance's `PATH`.
    pub command: Vec<String>,
    /// The instance's environment variables. A driver may add a documented minimum (such as `PATH`), and never lets its
    /// own environment through.
    pub environment: BTreeMap<String, String>,
    /// Time between SIGTERM and SIGKILL where no [`Driver::stop`] says it: when the agent dies, or shuts down.
    pub stop_grace: Duration,
}

impl Launch {
    /// What a container group's definition and the platform say.
    #[must_use]
    pub const fn new(command: Vec<String>, environment: BTreeMap<String, String>, stop_grace: Duration) -> Self {
        Self { command, environment, stop_grace }
    }
}

/// Shows the names of the environment variables only: tenants put into their values what they should not.
impl fmt::Debug for Launch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Launch")
            .field("command", &self.command)
            .field("environment", &self.environment.keys())
            .field("stop_grace", &self.stop_grace)
            .finish()
    }
}

/// An instance that an earlier life of the agent started, and that still runs.
#[derive(Debug)]
pub struct Adopted {
    /// Which one.
    pub id: InstanceId,
    /// Where it runs.
    pub sandbox: Sandbox,
    /// Yields its end, also if it has ended meanwhile.
    pub running: Running,
}

/// How a command beside the instance's own ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecOutcome {
    /// It ended by itself.
    Exited(Exit),
    /// It took too long, and was killed.
    TimedOut,
}

impl ExecOutcome {
    /// Whether it exited 0 in time: what counts as success of a probe.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited(Exit::Code(0)))
    }
}
