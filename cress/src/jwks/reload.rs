// SPDX-License-Identifier: Apache-2.0
//! The command that tells a program to read its keys again. It is the operator's own, given to the shell as it is; nothing of a key
//! set ever becomes a part of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::bail;
use cress_service::plain_words;
use tokio::process::{Child, Command};

/// Appended to the path of the first output: the files have changed, and the command has not succeeded since.
const MARKER_ENDING: &str = ".reload-pending";

/// The command, and whether it is due.
pub(super) struct Reload {
    command: String,
    timeout: Duration,
    marker: PathBuf,
    due: bool,
}

impl Reload {
    /// Due at once if an earlier process changed the files and could not run it.
    pub(super) fn new(command: String, timeout: Duration, first_output: &Path) -> Self {
        let mut marker = first_output.as_os_str().to_owned();
        marker.push(MARKER_ENDING);
        let marker = PathBuf::from(marker);
        let due = marker.exists();
        Self { command, timeout, marker, due }
    }

    pub(super) fn marker(&self) -> &Path {
        &self.marker
    }

    pub(super) const fn is_due(&self) -> bool {
        self.due
    }

    /// The files have changed.
    pub(super) const fn want(&mut self) {
        self.due = true;
    }

    /// Runs it. It stays due until it succeeds.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        let unknown =
            |error: std::io::Error| anyhow::anyhow!("the reload command cannot be run: {}", plain_words(&error));
        let mut child = start(&self.command).map_err(unknown)?;
        let Ok(ended) = tokio::time::timeout(self.timeout, child.wait()).await else {
            kill(&mut child).await;
            bail!("expected the reload command to end within {} s; it was killed", self.timeout.as_secs());
        };
        let status = ended.map_err(unknown)?;
        anyhow::ensure!(status.success(), "the reload command failed ({status}); it will be run again");
        self.done();
        Ok(())
    }

    fn done(&mut self) {
        self.due = false;
        // A marker that stays behind costs one reload too many at the next start.
        if self.marker.exists()
            && let Err(error) = std::fs::remove_file(&self.marker)
        {
            let path = self.marker.display().to_string();
            tracing::warn!(path, error = plain_words(&error), "the marker of a pending reload cannot be removed");
        }
    }
}

/// What it prints goes to standard error: standard output has results.
fn start(command: &str) -> std::io::Result<Child> {
    let mut shell = shell(command);
    shell.stdin(Stdio::null()).stdout(std::io::stderr()).stderr(Stdio::inherit()).kill_on_drop(true).spawn()
}

/// In a process group of its own, so that all of it can be ended.
#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}

#[cfg(unix)]
async fn kill(child: &mut Child) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _gone = child.wait().await;
}

#[cfg(not(unix))]
async fn kill(child: &mut Child) {
    let _gone = child.kill().await;
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn reload(command: &str, directory: &Path) -> Reload {
        Reload::new(command.to_owned(), Duration::from_secs(1), &directory.join("keys"))
    }

    #[tokio::test]
    async fn stays_due_until_it_succeeds_also_across_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let mut failing = reload("exit 3", directory.path());
        assert!(!failing.is_due());
        std::fs::write(failing.marker(), "").unwrap();
        failing.want();
        assert!(failing.run().await.unwrap_err().to_string().contains("exit status: 3"));
        assert!(failing.is_due());

        let mut good = reload("true", directory.path());
        assert!(good.is_due());
        good.run().await.unwrap();
        assert!(!good.is_due() && !reload("true", directory.path()).is_due());
    }

    #[tokio::test]
    async fn what_does_not_end_is_killed_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let id = directory.path().join("id");
        let command = format!("sleep 1000 & echo $! > {}; wait", id.display());
        let error = reload(&command, directory.path()).run().await.unwrap_err().to_string();
        assert_eq!(error, "expected the reload command to end within 1 s; it was killed");
        let started = std::fs::read_to_string(id).unwrap();
        let status = Path::new("/proc").join(started.trim()).join("stat");
        // A zombie that nobody has collected yet is dead too.
        let lives = || std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z "));
        for _ in 0..100 {
            if !lives() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("still there");
    }
}
