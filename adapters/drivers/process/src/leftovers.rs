// SPDX-License-Identifier: Apache-2.0
//! Ending the instances of a supervisor that was killed, in this life of the agent or in an earlier one.
//!
//! A note in the driver's directory says which supervisor was the last. Its marks tell its instances' processes from all
//! others, so nothing else is ever killed, whatever has become of the process ids.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::mark::{Mark, Marks};
use crate::monotonic;
use crate::processes::{self, Process};
use crate::protocol::Refusal;

/// How long an earlier life's supervisor, which ends by itself, may take for it.
const SUPERVISOR_SECONDS_MAX: u64 = 10;
/// How long killed processes may take to be gone. One that waits for a dead disk never is.
const KILL_SECONDS_MAX: u64 = 10;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A supervisor, for as long as the machine has not started anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    boot_id: String,
    process: u32,
    /// Clock ticks since boot.
    started: u64,
    marks: Marks,
}

impl Note {
    pub(crate) fn new(process: u32, marks: Marks) -> Self {
        let started = find(process).map_or(0, |process| process.started);
        Self { boot_id: boot_id(), process, started, marks }
    }

    fn is_alive(&self) -> bool {
        find(self.process).is_some_and(|process| process.started == self.started && !process.is_zombie)
    }
}

/// Writes the note, before the supervisor is asked for anything.
pub(crate) fn write_note(directory: &Path, note: &Note) -> Result<(), Refusal> {
    let write = || {
        let new = path(directory).with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(note)?)?;
        fs::rename(new, path(directory))
    };
    write()
        .map_err(|error: io::Error| Refusal::temporary(format!("cannot write {}: {error}", path(directory).display())))
}

/// Ends what the supervisor of the note has left, if there is a note.
pub(crate) fn end_previous(directory: &Path) -> Result<(), Refusal> {
    let Some(note) = read_note(directory) else { return Ok(()) };
    if note.boot_id != boot_id() {
        return Ok(());
    }
    wait_until(SUPERVISOR_SECONDS_MAX, || !note.is_alive());
    if kill(note.marks) {
        return Ok(());
    }
    Err(Refusal::temporary("processes of an earlier life's instances cannot be killed; see their state with ps"))
}

/// Kills all processes with these marks; false if some are still there after 10 s. Blocks.
pub(crate) fn kill(marks: Marks) -> bool {
    wait_until(KILL_SECONDS_MAX, || {
        let marked: Vec<Process> = processes::all().into_iter().filter(|process| is_marked(process, marks)).collect();
        marked.iter().for_each(|process| process.signal(Signal::SIGKILL));
        marked.is_empty()
    })
}

/// A zombie is its parent's to bury: not ours, and not always someone's who does.
fn is_marked(process: &Process, marks: Marks) -> bool {
    !process.is_zombie && Mark::of_process(process.id).is_some_and(|mark| marks.contain(mark))
}

fn wait_until(seconds_max: u64, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = monotonic::now().saturating_add(Duration::from_secs(seconds_max));
    loop {
        if is_so() {
            return true;
        }
        if monotonic::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn find(process: u32) -> Option<Process> {
    Process::find(i32::try_from(process).ok()?)
}

/// A note that cannot be read is of another version, or half written by a machine that went down: then nothing runs.
fn read_note(directory: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(path(directory)).ok()?).ok()
}

fn path(directory: &Path) -> PathBuf {
    directory.join("supervisor.json")
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read_note(directory.path()), None);
        let note = Note::new(std::process::id(), Marks::of_supervisor(std::process::id(), 5));
        write_note(directory.path(), &note).unwrap();
        write_note(directory.path(), &note).unwrap();
        assert_eq!(read_note(directory.path()), Some(note.clone()));
        assert!(note.is_alive());
        assert!(!Note { started: note.started + 1, ..note }.is_alive());
    }

    #[test]
    fn an_earlier_boots_supervisor_is_nobodys() {
        let directory = tempfile::tempdir().unwrap();
        let note = Note::new(std::process::id(), Marks::of_supervisor(std::process::id(), 5));
        write_note(directory.path(), &Note { boot_id: "another".to_owned(), ..note }).unwrap();
        assert_eq!(end_previous(directory.path()), Ok(()));
    }
}
