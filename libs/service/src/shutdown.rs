// SPDX-License-Identifier: Apache-2.0
//! How a process stops: one signal asks, tasks finish what they hold until the drain deadline, a second signal ends at once.

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// How long tasks may take to finish what they hold, unless configured.
pub const DRAIN_DEFAULT: Duration = Duration::from_secs(10);

/// The request to stop, and the tasks that answer it. Clones are the same; a [`Shutdown::child`] can be stopped alone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    token: CancellationToken,
    /// This one's tasks last, after those of its ancestors: each of them waits for the tasks of its descendants.
    trackers: Vec<TaskTracker>,
    drain: Duration,
    failed: FailedTask,
}

/// The vital task that ended first without being asked to: one fact for all descendants and ancestors.
type FailedTask = Arc<OnceLock<&'static str>>;

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Every task ended by itself.
    Complete,
    /// The deadline came first.
    Abandoned {
        /// How many tasks were still running.
        tasks: usize,
    },
}

impl Shutdown {
    /// One that no signal triggers; tasks may take `drain` to end once it is requested.
    #[must_use]
    pub fn new(drain: Duration) -> Self {
        let (token, trackers) = (CancellationToken::new(), vec![TaskTracker::new()]);
        Self { token, trackers, drain, failed: FailedTask::default() }
    }

    /// One that SIGINT (Ctrl-C) and SIGTERM trigger. A second signal exits the process at once with 128 + its number.
    ///
    /// # Errors
    /// The operating system's, if the handlers cannot be installed.
    pub fn on_signals(drain: Duration) -> io::Result<Self> {
        let shutdown = Self::new(drain);
        let mut signals = Signals::install()?;
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            let first = signals.next().await;
            tracing::info!(signal = first.name, drain_seconds = drain.as_secs(), "stopping; once more to stop at once");
            token.cancel();
            let second = signals.next().await;
            tracing::warn!(signal = second.name, "stopping at once");
            std::process::exit(128_i32.saturating_add(second.number));
        });
        Ok(shutdown)
    }

    /// One that stops with this one, or alone; this one's drain waits for its tasks too.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut trackers = self.trackers.clone();
        trackers.push(TaskTracker::new());
        Self { token: self.token.child_token(), trackers, drain: self.drain, failed: Arc::clone(&self.failed) }
    }

    /// Asks everyone to stop. Idempotent.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Resolves once it is asked to stop. Owned, so that it fits `serve_with_shutdown` and the like.
    pub fn requested(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }

    /// Resolves once it is asked to stop and the drain deadline has passed: what still runs is to be dropped.
    pub fn expired(&self) -> impl Future<Output = ()> + Send + use<> {
        let (requested, drain) = (self.requested(), self.drain);
        async move {
            requested.await;
            tokio::time::sleep(drain).await;
        }
    }

    /// Runs a future, such as a server that drains by itself, but drops it when the drain deadline has passed.
    pub async fn run_until_expired<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            output = future => Some(output),
            () = self.expired() => None,
        }
    }

    /// The token behind it, for libraries that take one.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Spawns a task that the drain waits for. The task must end by itself soon after [`Shutdown::requested`] resolves.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let tracked: Vec<_> = self.trackers.iter().map(TaskTracker::token).collect();
        tokio::spawn(async move {
            let _tracked = tracked;
            let _report = ReportPanic(name);
            task.await
        })
    }

    /// The name of the vital task that ended without being asked to, the first if there were several: then the process did
    /// not end well, however orderly it stopped. A child's count as its parent's, and the other way round.
    #[must_use]
    pub fn failed_task(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }

    /// Spawns a task without which the process makes no sense: when it ends, however it ends, all of this one stops. If it
    /// ends without being asked to, [`Shutdown::failed_task`] names it.
    pub fn spawn_vital<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let vital = Vital {
            name,
            is_over: false,
            failed: Arc::clone(&self.failed),
            is_asked: self.token.clone(),
            _stop: self.token.clone().drop_guard(),
        };
        self.spawn(name, async move {
            let mut vital = vital;
            let output = task.await;
            vital.is_over = true;
            output
        })
    }

    /// Waits until every task has ended, or the drain deadline has passed. Call it after [`Shutdown::requested`] resolved.
    pub async fn drain(&self) -> Drained {
        let Some(tracker) = self.trackers.last() else { return Drained::Complete };
        tracker.close();
        tokio::select! {
            () = tracker.wait() => Drained::Complete,
            () = self.expired() => Drained::Abandoned { tasks: tracker.len() },
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new(DRAIN_DEFAULT)
    }
}

/// A task's panic would else be seen by whoever awaits its handle, which is often nobody.
struct ReportPanic(&'static str);

impl Drop for ReportPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "a task panicked");
        }
    }
}

/// What a vital task leaves: a request to stop, and its name if nobody had made one before.
struct Vital {
    name: &'static str,
    /// Else it panicked, or was dropped with the runtime, which is no failure of its own.
    is_over: bool,
    failed: FailedTask,
    is_asked: CancellationToken,
    /// Dropped last.
    _stop: DropGuard,
}

impl Drop for Vital {
    fn drop(&mut self) {
        let has_ended = self.is_over || std::thread::panicking();
        if has_ended && !self.is_asked.is_cancelled() && self.failed.set(self.name).is_ok() {
            tracing::error!(task = self.name, "a task ended that must not, so all of them stop");
        }
    }
}

struct Signal {
    name: &'static str,
    number: i32,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal { name: "SIGINT", number: 2 },
            _ = self.terminate.recv() => Signal { name: "SIGTERM", number: 15 },
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", number: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drains_what_ends_and_abandons_what_does_not() {
        let shutdown = Shutdown::new(Duration::from_secs(5));
        let requested = shutdown.requested();
        shutdown.spawn("good", requested);
        shutdown.request();
        assert_eq!(shutdown.drain().await, Drained::Complete);

        let shutdown = Shutdown::new(Duration::from_secs(5));
        shutdown.spawn("bad", std::future::pending::<()>());
        shutdown.request();
        assert_eq!(shutdown.drain().await, Drained::Abandoned { tasks: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_stops_alone_and_its_parent_waits_for_it() {
        let parent = Shutdown::new(Duration::from_secs(5));
        let child = parent.child();
        child.spawn("stubborn", std::future::pending::<()>());
        child.request();
        assert!(child.is_requested() && !parent.is_requested());

        parent.request();
        assert_eq!(parent.drain().await, Drained::Abandoned { tasks: 1 });

        let parent = Shutdown::default();
        let child = parent.child();
        parent.request();
        assert!(child.is_requested());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_dropped_at_the_deadline() {
        let shutdown = Shutdown::new(Duration::from_secs(5));
        assert_eq!(shutdown.run_until_expired(async { 7 }).await, Some(7));
        shutdown.request();
        assert_eq!(shutdown.run_until_expired(std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_stops_everything() {
        let shutdown = Shutdown::default();
        let joined = shutdown.spawn_vital("vital", async { panic!("of this test") }).await;
        assert!(joined.is_err());
        shutdown.requested().await;
        assert_eq!(shutdown.failed_task(), Some("vital"));
    }

    #[tokio::test]
    async fn the_first_vital_task_to_end_unasked_is_named_to_the_parent_too() {
        let parent = Shutdown::default();
        let child = parent.child();
        let (asked, last) = (child.requested(), parent.clone());
        parent.spawn_vital("outlives the child", asked);
        let _joined = child.spawn_vital("of the child", async {}).await;
        last.requested().await;
        assert_eq!(parent.drain().await, Drained::Complete);
        assert_eq!((parent.failed_task(), child.failed_task()), (Some("of the child"), Some("of the child")));
    }

    #[tokio::test]
    async fn a_vital_task_that_ends_when_asked_or_is_dropped_has_not_failed() {
        let shutdown = Shutdown::default();
        let dropped = Shutdown::default();
        let task = dropped.spawn_vital("dropped", std::future::pending::<()>());
        shutdown.spawn_vital("obedient", shutdown.requested());
        shutdown.request();
        assert_eq!(shutdown.drain().await, Drained::Complete);
        assert_eq!(shutdown.failed_task(), None);
        task.abort();
        dropped.requested().await;
        assert_eq!(dropped.failed_task(), None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_signal_asks_to_stop() {
        let shutdown = Shutdown::on_signals(DRAIN_DEFAULT).unwrap();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        shutdown.requested().await;
    }
}
