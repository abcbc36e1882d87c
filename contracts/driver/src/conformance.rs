// SPDX-License-Identifier: Apache-2.0
//! What every driver must do, told by doing it: runs real instances and says which rule the first misfit breaks.
//!
//! Instances need `sh`, `sleep`, `test`, `touch` and `rm`. What happens inside one is seen through `exec` alone, so the suite
//! suits drivers whose instances have a file system of their own.

mod cases;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use cress_domain::{InstanceId, Random};

use crate::{Driver, DriverError, DriverErrorKind, ExecOutcome, Exit, Launch, Running};

/// Longer than any step takes on a slow machine; a test's own time limit is no concern of the rules.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A rule that the driver breaks.
#[derive(Debug)]
pub struct Failure {
    case: &'static str,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.case, self.message)
    }
}

impl std::error::Error for Failure {}

/// Runs all cases on a driver that was just made. Does not shut it down. Takes some seconds.
///
/// # Errors
/// The first rule that is broken.
pub async fn run(driver: &dyn Driver, random: &dyn Random) -> Result<(), Failure> {
    let bench = Bench { driver, random };
    bench.case("nothing is adopted where nothing was left", cases::nothing_to_adopt(bench)).await?;
    bench.case("a place is made once and removed once", cases::places(bench)).await?;
    bench.case("nothing starts without a place", cases::no_place(bench)).await?;
    bench.case("the exit code is told", cases::exit_codes(bench)).await?;
    bench.case("what cannot start is refused for good", cases::impossible_starts(bench)).await?;
    bench.case("an instance runs once at a time, and again afterwards", cases::one_run_at_a_time(bench)).await?;
    bench.case("the environment is the given one", cases::environment(bench)).await?;
    bench.case("stop asks first", cases::graceful_stop(bench)).await?;
    bench.case("stop kills what does not end in time", cases::forced_stop(bench)).await?;
    bench.case("stop can be asked for at any time", cases::idempotent_stop(bench)).await?;
    bench.case("stop ends what the command has started", cases::background_processes(bench)).await?;
    bench.case("what a command leaves behind ends with it", cases::left_behind(bench)).await?;
    bench.case("commands beside the instance", cases::exec(bench)).await?;
    bench.case("release ends a run", cases::release_running(bench)).await?;
    bench.case("many at once do not disturb each other", cases::many_at_once(bench)).await
}

/// What the cases share.
#[derive(Clone, Copy)]
struct Bench<'a> {
    driver: &'a dyn Driver,
    random: &'a dyn Random,
}

type Case = Result<(), String>;

impl Bench<'_> {
    async fn case(self, name: &'static str, case: impl Future<Output = Case>) -> Result<(), Failure> {
        case.await.map_err(|message| Failure { case: name, message })
    }

    /// A prepared instance.
    async fn instance(self) -> Result<InstanceId, String> {
        let id = InstanceId::generate(self.random);
        self.driver.prepare(id).await.map_err(text)?;
        Ok(id)
    }

    async fn start(self, id: InstanceId, script: &str) -> Result<Running, String> {
        self.driver.start(id, launch(script)).await.map_err(text)
    }

    /// Whether the script exits 0 beside the instance.
    async fn holds(self, id: InstanceId, script: &str) -> Result<bool, String> {
        self.driver.exec(id, shell(script), PATIENCE).await.map(ExecOutcome::is_success).map_err(text)
    }

    /// Waits until the script exits 0 beside the instance.
    async fn wait_for(self, id: InstanceId, script: &str) -> Case {
        let poll = async {
            while !self.holds(id, script).await? {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        within(poll).await?.map_err(|error: String| format!("while waiting for {script:?}: {error}"))
    }

    async fn stop(self, id: InstanceId, grace: Duration) -> Case {
        within(self.driver.stop(id, grace)).await?.map_err(text)
    }

    async fn release(self, id: InstanceId) -> Case {
        within(self.driver.release(id)).await?.map_err(text)
    }
}

fn launch(script: &str) -> Launch {
    Launch::new(shell(script), BTreeMap::new(), Duration::from_secs(10))
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

async fn exit(running: Running) -> Result<Exit, String> {
    within(running).await
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_elapsed| format!("expected an end within {PATIENCE:?}"))
}

fn equal<T: PartialEq + fmt::Debug>(what: &str, got: &T, expected: &T) -> Case {
    if got == expected { Ok(()) } else { Err(format!("expected {what} to be {expected:?}, got {got:?}")) }
}

fn ensure(what: &str, holds: bool) -> Case {
    if holds { Ok(()) } else { Err(format!("expected {what}")) }
}

fn refused<T: fmt::Debug>(what: &str, got: Result<T, DriverError>, kind: DriverErrorKind) -> Result<String, String> {
    match got {
        Err(error) if error.kind() == kind => Ok(error.to_string()),
        other => Err(format!("expected {what} to be refused as {kind:?}, got {other:?}")),
    }
}

fn text(error: DriverError) -> String {
    error.to_string()
}
