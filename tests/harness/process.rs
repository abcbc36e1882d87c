// SPDX-License-Identifier: Apache-2.0
//! Programs as child processes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::eventually;

/// A built program of the project, beside the tests.
///
/// # Panics
/// If it is not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own program");
    let path = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps").join(name);
    assert!(path.exists(), "expected the built program at {}; run `cargo build --workspace` first", path.display());
    path
}

/// The built `cress` as a command, without the settings of whoever runs the tests.
#[must_use]
pub fn cress(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("cress"));
    command.args(arguments).stdin(Stdio::null());
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("CRESS_")) {
        command.env_remove(name);
    }
    command
}

/// A program that runs beside the test; killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: PathBuf,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// All that it printed, errors included.
    pub output: String,
}

impl Program {
    /// Starts it; what it prints goes into a file of this name.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, output: &Path) -> Self {
        let file = File::create(output).expect("a file for the output");
        let errors = file.try_clone().expect("the same file for errors");
        let child = command.stdout(file).stderr(errors).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, output: output.to_owned() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        let mut text = String::new();
        let _partial = File::open(&self.output).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a signal for a process of our own");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child's status")
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it takes more than a minute.
    pub fn wait(&mut self) -> Finished {
        let status = eventually("the program to end", || self.ended());
        Finished { status, output: self.output() }
    }

    /// Asks it to stop as Ctrl-C does, and waits.
    pub fn interrupt(&mut self) -> Finished {
        self.signal(Signal::SIGINT);
        self.wait()
    }

    /// Kills it without a warning, and waits.
    pub fn kill(&mut self) -> Finished {
        self.signal(Signal::SIGKILL);
        self.wait()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}
