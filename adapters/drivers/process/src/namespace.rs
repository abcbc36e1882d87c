// SPDX-License-Identifier: Apache-2.0
//! Named network namespaces, one for each instance, as `ip netns` makes them (ip-netns(8)): a file in /run/netns on which
//! the namespace is mounted. It lives until it is unmounted, whatever becomes of its processes.
//!
//! A note in the driver's directory precedes each, so that one that was left behind is found and removed, and no other.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use cress_domain::InstanceId;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::protocol::Refusal;

const NAMESPACES: &str = "/run/netns";
const NO_TEXT: Option<&str> = None;

/// Makes the instance's namespace and returns its path. One that was left there is replaced.
pub(crate) fn create(driver: &Path, id: InstanceId) -> Result<PathBuf, Refusal> {
    let path = path(id);
    let create = || {
        write_note(driver, id)?;
        unmount(&path)?;
        make_shared_directory()?;
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o444).open(&path)?;
        mount_new(&path)
    };
    create().map_err(|error: io::Error| {
        let _gone = remove(driver, id);
        Refusal::permanent(format!(
            "cannot make the network namespace {}: {error}; run the node as root (CAP_SYS_ADMIN), or use the host's network",
            path.display()
        ))
    })?;
    Ok(path)
}

/// Removes the instance's namespace, if there is one.
pub(crate) fn remove(driver: &Path, id: InstanceId) -> Result<(), Refusal> {
    let removed = unmount(&path(id)).and_then(|()| ignore_missing(fs::remove_file(note(driver, id))));
    removed.map_err(|error| {
        Refusal::temporary(format!("cannot remove the network namespace {}: {error}", path(id).display()))
    })
}

/// Removes all namespaces that this directory has notes of.
pub(crate) fn remove_noted(driver: &Path) -> Result<(), Refusal> {
    let entries = fs::read_dir(notes(driver)).into_iter().flatten().flatten();
    let noted = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    noted.map(|id| remove(driver, id)).fold(Ok(()), Result::and)
}

fn path(id: InstanceId) -> PathBuf {
    Path::new(NAMESPACES).join(format!("cress-{id}"))
}

fn notes(driver: &Path) -> PathBuf {
    driver.join("namespaces")
}

fn note(driver: &Path, id: InstanceId) -> PathBuf {
    notes(driver).join(id.to_string())
}

fn write_note(driver: &Path, id: InstanceId) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(notes(driver))?;
    fs::write(note(driver, id), "")
}

/// The directory is a mount point that passes its mounts on, so that a namespace that is removed here is not kept alive by
/// a copy of the mount in some other service's mount namespace.
fn make_shared_directory() -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(NAMESPACES)?;
    let share = || mount(NO_TEXT, NAMESPACES, NO_TEXT, MsFlags::MS_SHARED | MsFlags::MS_REC, NO_TEXT);
    match share() {
        Err(Errno::EINVAL) => {
            mount(Some(NAMESPACES), NAMESPACES, NO_TEXT, MsFlags::MS_BIND | MsFlags::MS_REC, NO_TEXT)?;
            Ok(share()?)
        }
        shared => Ok(shared?),
    }
}

/// A new namespace belongs to the thread that makes it, so this is one that ends then.
fn mount_new(path: &Path) -> io::Result<()> {
    thread::scope(|scope| {
        let work = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(mount(Some("/proc/thread-self/ns/net"), path, NO_TEXT, MsFlags::MS_BIND, NO_TEXT)?)
        };
        let thread = thread::Builder::new().name("namespace".to_owned()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_panic| Err(io::Error::other("its thread ended early")))
    })
}

fn unmount(path: &Path) -> io::Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // EINVAL: a file on which nothing is mounted.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => ignore_missing(fs::remove_file(path)),
        Err(Errno::EPERM) if !path.exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
