// SPDX-License-Identifier: Apache-2.0
//! What crash tests do at fault points: with `CRESS_FAULT=<directory>`, each point that is passed becomes a line of `points` in that
//! directory, and at the point whose number is in `kill-at` the process kills itself, as a power cut would, without a word to anyone.
//! Never part of a release build.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use cress_domain::fault;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const VARIABLE: &str = "CRESS_FAULT";

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
/// One point after the other: what is counted must be what happened.
static ORDER: Mutex<()> = Mutex::new(());

/// Hangs this in, if a test asks for it.
pub(crate) fn arm() {
    if let Some(directory) = std::env::var_os(VARIABLE) {
        DIRECTORY.get_or_init(|| directory.into());
        fault::at_points(pass);
    }
}

fn pass(name: &'static str) {
    let Some(directory) = DIRECTORY.get() else { return };
    let _one_at_a_time = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    match note(directory, name) {
        Ok(number) if kill_at(directory).is_some_and(|last| number >= last) => die(),
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "a fault point cannot be noted"),
    }
}

/// Returns the number of the point, the first being 1. Counted in the file, so that a test may begin anew at any time.
fn note(directory: &Path, name: &str) -> io::Result<usize> {
    let path = directory.join("points");
    writeln!(OpenOptions::new().create(true).append(true).open(&path)?, "{name}")?;
    Ok(fs::read_to_string(path)?.lines().count())
}

fn kill_at(directory: &Path) -> Option<usize> {
    fs::read_to_string(directory.join("kill-at")).ok()?.trim().parse().ok()
}

fn die() -> ! {
    kill(Pid::this(), Signal::SIGKILL).ok();
    loop {
        std::thread::park();
    }
}
