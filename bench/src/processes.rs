// SPDX-License-Identifier: Apache-2.0
//! The measured programs: started as a user would, ended with the value that holds them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cress_client::AdminClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cores;
use crate::stores::Place;

/// The first port of the measured control; others follow.
const CONTROL_PORT: u16 = 33_100;
const PATIENCE: Duration = Duration::from_secs(60);

/// A child process, asked to stop when it is dropped, and killed if it does not.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let shown = format!("{command:?}");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().with_context(|| shown)?;
        Ok(Self(child))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let statistics = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = statistics.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0)
    }
}

/// Clock ticks in a second (sysconf(3) `_SC_CLK_TCK`), which Linux has fixed for user space.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Seconds of processor time that it and its children have used so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let mut ticks = 0.0;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            // Processes come and go while they are listed.
            let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((before, after)) = text.rsplit_once(") ") else { continue };
            let fields: Vec<&str> = after.split(' ').collect();
            let number = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            let own = before.split(' ').next() == Some(self.0.id().to_string().as_str());
            let child = fields.get(1) == Some(&self.0.id().to_string().as_str());
            if own || child {
                ticks += number(11) + number(12);
            }
        }
        Ok(ticks / TICKS_PER_SECOND)
    }
}

impl Process {
    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _gone = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _gone = self.0.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The built `cress`.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("CRESS_BENCH_BINARY").map(PathBuf::from);
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("cress"),
    };
    anyhow::ensure!(path.exists(), "expected the built program at {}; use `cargo xtask bench`", path.display());
    Ok(path)
}

/// A control in a process of its own.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) process: Process,
    directory: TempDir,
    place: Place,
}

impl Control {
    /// Starts one with a SQLite file, tied to the server's core.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_at(Place::Sqlite)
    }

    /// The same with its fleet anywhere.
    pub(crate) fn start_at(place: Place) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let process = run_control(directory.path(), &place)?;
        Ok(Self { process, directory, place })
    }

    /// Stops it and starts it again; says how many seconds it took from the start until it was ready.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<f64> {
        self.process.stop();
        let started = Instant::now();
        self.process = run_control(self.directory.path(), &self.place)?;
        Ok(started.elapsed().as_secs_f64())
    }

    pub(crate) fn admin(&self) -> anyhow::Result<AdminClient> {
        Ok(AdminClient::new(&self.data_dir().join(cress_api::admin::SOCKET_FILE))?)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where nodes reach it.
    pub(crate) fn node_api() -> String {
        format!("https://127.0.0.1:{}", CONTROL_PORT + 1)
    }
}

/// Starts control, and waits until it is ready.
fn run_control(directory: &Path, place: &Place) -> anyhow::Result<Process> {
    let mut command = cores::tied(cores::SERVER, &binary()?.display().to_string());
    let address = |offset: u16| format!("127.0.0.1:{}", CONTROL_PORT + offset);
    command.args(["control", "--log", "error", "--data-dir"]).arg(directory.join("data"));
    command.args(["--listen", &address(0), "--node-api-listen", &address(1), "--metrics-listen", &address(10)]);
    place.configure(&mut command, directory)?;
    let process = Process::start(command)?;
    let ready = format!("http://{}/readyz", address(0));
    wait_for("control to be ready", || is_ok(&ready))?;
    Ok(process)
}

/// Whether there is an answer 200.
pub(crate) fn is_ok(url: &str) -> bool {
    let quiet = ["--silent", "--fail", "--noproxy", "*", "--output", "/dev/null", "--header", "Metadata: true"];
    Command::new("curl").args(quiet).arg(url).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Asks over and over, for a minute at most.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            bail!("expected {what} within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
