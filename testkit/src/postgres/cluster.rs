// SPDX-License-Identifier: Apache-2.0
//! The directory of a server: made once for each version, and copied for each server, since making one takes seconds.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::programs::{SERVER_USER, Version, as_server_user, is_root, output};

/// A new cluster in a directory of its own.
pub(super) fn fresh(version: Version) -> PathBuf {
    // First, since nothing is left behind then if the programs are not there.
    template(version);
    let directory = scratch("server");
    fill(version, &directory);
    directory
}

/// A new cluster in this empty directory.
pub(super) fn fill(version: Version, directory: &Path) {
    let template = template(version);
    output(Command::new("cp").arg("-a").arg(template.join(".")).arg(directory));
    hand_over(directory);
}

/// A file that the server alone may read.
pub(super) fn put(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("a file for the server");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
    if is_root() {
        chown(path, Some(SERVER_USER), Some(SERVER_USER)).expect("its owner");
    }
}

/// The cluster that all are copied from. It lies beside the built tests, so that the next run has it too.
fn template(version: Version) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let test = std::env::current_exe().expect("a test knows its own program");
    let target = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let template = target.join(format!("postgres-{}-template", version.name()));
    if !template.exists() {
        let made = make(version);
        let beside = target.join(format!("postgres-{}-template.{}", version.name(), std::process::id()));
        output(Command::new("cp").arg("-a").arg(&made).arg(&beside));
        // Another program may have been faster, and its own is as good.
        let _another_is_there = fs::rename(&beside, &template);
        let _absent = fs::remove_dir_all(&beside);
        let _absent = fs::remove_dir_all(&made);
    }
    template
}

fn make(version: Version) -> PathBuf {
    let mut initdb = as_server_user(&version.programs().join("initdb"));
    let directory = scratch("template");
    hand_over(&directory);
    initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--username", super::USER]);
    output(initdb.arg("--pgdata").arg(&directory).current_dir("/"));
    directory
}

/// An empty directory. Removed by whoever asked for it.
fn scratch(purpose: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("cress-postgres-{purpose}-{process}-{count}"));
    // What an earlier process of this id may have left behind.
    let _absent = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a directory");
    path
}

fn hand_over(directory: &Path) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("its mode");
    if is_root() {
        let owner = format!("{SERVER_USER}:{SERVER_USER}");
        output(Command::new("chown").arg("-R").arg(owner).arg(directory));
    }
}
