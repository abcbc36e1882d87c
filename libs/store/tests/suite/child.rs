// SPDX-License-Identifier: Apache-2.0
//! Runs one test of this program again in a process of its own: to lock, to be killed, to see another file system.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const TOLD: &str = "CRESS_STORE_TEST_DATABASE";
/// Before each line that a child has to say, since the test runner speaks too.
const SAYS: &str = "child: ";

/// The database that this process was told to use, if it is such a child.
pub(crate) fn told() -> Option<PathBuf> {
    std::env::var_os(TOLD).map(PathBuf::from)
}

/// Tells the parent.
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{SAYS}{line}");
}

/// This program, running that test alone.
fn command(test: &str, database: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(TOLD, database);
    command
}

/// A child that runs until it is killed or its standard input ends.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

pub(crate) fn start(test: &str, database: &Path) -> Running {
    let mut child =
        command(test, database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Running { child, output }
}

impl Running {
    /// The next thing that it says.
    pub(crate) fn line(&mut self) -> String {
        for line in self.output.by_ref().lines() {
            if let Some((_, said)) = line.unwrap().split_once(SAYS) {
                return said.to_owned();
            }
        }
        panic!("the child ended before it said anything more");
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Runs a test to its end in a mount namespace of its own, after this script ($1 is the database's directory), and returns what
/// it said. `None` if this process may make no mount namespace.
pub(crate) fn in_mount_namespace(test: &str, database: &Path, script: &str) -> Option<Vec<String>> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root || !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        return None;
    }
    let this = command(test, database);
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", &format!("{script}\nshift; exec \"$@\""), "sh"])
        .arg(database.parent().unwrap())
        .arg(this.get_program())
        .args(this.get_args())
        .env(TOLD, database)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(text.lines().filter_map(|line| Some(line.split_once(SAYS)?.1.to_owned())).collect())
}
