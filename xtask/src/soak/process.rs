// SPDX-License-Identifier: Apache-2.0
//! A process of the fleet: started, killed, paused, started again.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to stop when it is asked to.
const STOP_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// How to start it, and the one that runs.
pub(super) struct Process {
    pub(super) name: &'static str,
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(super) const fn new(name: &'static str, binary: PathBuf, arguments: Vec<String>, log: PathBuf) -> Self {
        Self { name, binary, arguments, environment: Vec::new(), log, child: None }
    }

    pub(super) fn set(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.push((variable.to_owned(), value.into()));
        self
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CRESS_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.child = Some(command.spawn().with_context(|| format!("cannot start {}", self.name))?);
        Ok(())
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.id().and_then(|id| i32::try_from(id).ok()).context("it does not run")?;
        Ok(kill(Pid::from_raw(id), signal)?)
    }

    /// Without a warning.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// As Ctrl-C does; it must end well.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGINT)?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let begun = super::now();
        while begun.elapsed() < STOP_MAX {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "{} ended with {status}: {}", self.name, self.last_words());
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        child.kill()?;
        child.wait()?;
        bail!("{} did not stop within {} s", self.name, STOP_MAX.as_secs());
    }

    /// That it has not ended by itself.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
        match ended {
            Some(status) => bail!("{} ended by itself with {status}: {}", self.name, self.last_words()),
            None => Ok(()),
        }
    }

    fn last_words(&self) -> String {
        const LINES: usize = 10;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}
