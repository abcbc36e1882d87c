// SPDX-License-Identifier: Apache-2.0
//! Files and directories: whether they are there, who else may read them, whether another process holds them, and room on their disk.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cress_domain::{Clock, Timestamp};
use cress_service::plain_words;
use nix::sys::statvfs::statvfs;

use super::report::Report;

/// With less free than this, control soon cannot write.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;
/// With less than this, it hardly can.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;
const LOCK_FILE: &str = "lock";
/// By how much a file's time may be ahead: file systems of other machines have clocks of their own.
const AHEAD_SECONDS_MAX: i64 = 60;

/// The process that holds a data directory; 0 if it is not to be seen from here.
pub(super) type Holder = u32;

/// Whether a file or directory is its owner's alone.
pub(super) fn owners_alone(report: &mut Report, check: &'static str, path: &Path, what: &str) {
    let shown = path.display();
    match path.metadata() {
        Err(error) => {
            report.problem(check, format!("cannot look at {what} {shown}: {}", plain_words(&error)), WHO_RUNS);
        }
        Ok(metadata) => {
            let (mode, wanted) = (metadata.mode() & 0o777, if metadata.is_dir() { 0o700 } else { 0o600 });
            if mode & 0o077 == 0 {
                report.ok(check, format!("{what} {shown} is its owner's alone"));
            } else {
                let message = format!("{what} {shown} has the mode {mode:o}: other users of this machine may open it");
                report.problem(check, message, format!("chmod {wanted:o} {shown}"));
            }
        }
    }
}

const WHO_RUNS: &str = "run this as the user that the role runs as, or as root";

/// The data directory, and who holds it.
pub(super) fn data_dir(report: &mut Report, path: &Path, clock: &dyn Clock) -> Option<Holder> {
    let shown = path.display();
    if !path.exists() {
        report.ok("data_dir", format!("{shown} is not there yet: the first start makes it"));
        parent_writable(report, path);
        return None;
    }
    if !path.is_dir() {
        report.problem("data_dir", format!("{shown} is no directory"), "remove the file, or choose another data_dir");
        return None;
    }
    owners_alone(report, "data_dir", path, "the data directory");
    set_back(report, path, clock.now());
    let holder = holder(&path.join(LOCK_FILE));
    match holder {
        Some(0) => report.ok("running", format!("a process holds {shown}")),
        Some(id) => report.ok("running", format!("process {id} ({}) holds {shown}", program(id))),
        None => report.ok("running", "nothing runs on this directory now"),
    }
    holder
}

fn parent_writable(report: &mut Report, path: &Path) {
    let there = path.ancestors().skip(1).find(|parent| parent.exists() || parent.as_os_str().is_empty());
    let there = there.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let access = nix::unistd::access(there, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK);
    if access.is_err() {
        let message = format!("{} cannot be made: this user may not write to {}", path.display(), there.display());
        report.problem("data_dir", message, "choose another data_dir, or make it for the user that the role runs as");
    }
}

/// A file written in the future tells that the clock was set back.
fn set_back(report: &mut Report, directory: &Path, now: Timestamp) {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let times = entries.filter_map(|entry| Some((entry.metadata().ok()?.mtime(), entry.file_name())));
    let newest = times.max().filter(|(time, _)| *time > now.unix_seconds().saturating_add(AHEAD_SECONDS_MAX));
    if let Some((time, name)) = newest {
        let written = Timestamp::from_unix_seconds(time).rfc3339();
        let message = format!(
            "{} was written at {written}, but this machine's clock shows {}: the clock was set back, or was wrong then",
            name.to_string_lossy(),
            now.rfc3339()
        );
        report.problem("clock.jump", message, "set the clock right and keep it so (systemd-timesyncd or chrony)");
    }
}

/// Who has locked a file, from what the kernel tells: trying it out would disturb a start.
fn holder(lock: &Path) -> Option<Holder> {
    let inode = lock.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = fields.as_slice() else { return None };
        (place.rsplit(':').next() == Some(inode.as_str())).then(|| process.parse().unwrap_or(0))
    })
}

/// The name of a process's program.
pub(super) fn program(process: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}

/// Room on the disk of a directory.
pub(super) fn free_disk(report: &mut Report, path: &Path) {
    let there: PathBuf = path.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new(".")).to_owned();
    let Ok(disk) = statvfs(&there) else {
        report.warning("disk", format!("cannot ask for the room on the disk of {}", there.display()), WHO_RUNS);
        return;
    };
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let message = format!("{} MiB free on the disk of {}", free / MIB, path.display());
    if free < FREE_BYTES_MIN {
        report.problem("disk", message, "free some space: soon nothing can be written");
    } else if free < FREE_BYTES_LOW {
        report.warning("disk", message, "free some space before nothing can be written any more");
    } else if disk.files() > 0 && disk.files_available() == 0 {
        report.problem("disk", format!("no new files fit on the disk of {}", path.display()), "remove some files");
    } else {
        report.ok("disk", message);
    }
}

/// Whether what lies here is in the reach of a backup of a directory.
pub(super) fn lies_in(file: &Path, directory: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(file).starts_with(real(directory))
}

/// Whether every user of this machine may read a file.
pub(super) fn readable_by_others(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}
