// SPDX-License-Identifier: Apache-2.0
//! The network namespace of an instance, and the listener of its metadata service inside it.
//!
//! Which instance asks is known from the listener that took the connection: it lies in the instance's own namespace, at
//! 169.254.169.254 on the loopback device, and is tied to that device. Linux accepts a packet for any of its addresses on
//! any device, so without the tie a neighbour with a route would be answered as if it were the instance.
//!
//! Entering a namespace changes the calling thread, so it is done on a thread that ends with the work. A socket stays in
//! the namespace that it was made in, and can be used from any thread afterwards.
//!
//! No `unsafe` here: everything goes through safe wrappers of the system calls.

mod listener;
mod netlink;

use std::fs::{File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NONBLOCK};
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use tokio::net::TcpSocket;

pub use listener::{ADDRESS, PORT};

/// A network namespace that is not the agent's own. It exists for as long as this value does, whatever becomes of its
/// processes.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    path: PathBuf,
    identity: NamespaceIdentity,
}

/// What tells namespaces apart, whatever path they were opened by. Two instances must never have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamespaceIdentity {
    device: u64,
    inode: u64,
}

/// Why there is no metadata service in a namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// Nothing could be opened there.
    #[error("cannot open the network namespace {path}: {source}", path = .path.display())]
    Open {
        /// Where it was looked for.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something else was there.
    #[error("expected a network namespace at {path}, such as /proc/<pid>/ns/net or /run/netns/<name>", path = .0.display())]
    NotANamespace(PathBuf),
    /// It is the namespace that the agent runs in: everything on the machine could ask for the instance's token.
    #[error("{path} is the node's own network namespace; give the instance one of its own", path = .0.display())]
    Own(PathBuf),
    /// The thread could not enter it.
    #[error("cannot enter the network namespace {path}: {source}; run the node as root (CAP_SYS_ADMIN)", path = .path.display())]
    Enter {
        /// The namespace.
        path: PathBuf,
        /// What the kernel said.
        source: Errno,
    },
    /// A step of setting it up failed.
    #[error("cannot {step} in the network namespace {path}: {source}", path = .path.display())]
    SetUp {
        /// The namespace.
        path: PathBuf,
        /// What was to be done.
        step: &'static str,
        /// What the kernel said.
        source: Errno,
    },
    /// No thread could be started, or it ended early.
    #[error("cannot work in the network namespace {path}: {source}", path = .path.display())]
    Thread {
        /// The namespace.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Namespace {
    /// Opens a namespace by a path such as `/proc/<pid>/ns/net` or `/run/netns/<name>`.
    ///
    /// # Errors
    /// [`NamespaceError`]: there is none, or it is the agent's own.
    pub fn open(path: &Path) -> Result<Self, NamespaceError> {
        let failed = |source| NamespaceError::Open { path: path.to_owned(), source };
        // Without O_NONBLOCK a pipe put there would hold the agent up.
        let file = OpenOptions::new().read(true).custom_flags(O_CLOEXEC | O_NONBLOCK).open(path).map_err(failed)?;
        let file_system = fstatfs(&file).map_err(|errno| failed(errno.into()))?;
        if file_system.filesystem_type() != NSFS_MAGIC {
            return Err(NamespaceError::NotANamespace(path.to_owned()));
        }
        let identity = NamespaceIdentity::of(&file).map_err(failed)?;
        let own = File::open("/proc/thread-self/ns/net").and_then(|own| NamespaceIdentity::of(&own)).map_err(failed)?;
        if identity == own {
            return Err(NamespaceError::Own(path.to_owned()));
        }
        Ok(Self { file, path: path.to_owned(), identity })
    }

    /// What tells it from all others, for as long as it is open.
    #[must_use]
    pub const fn identity(&self) -> NamespaceIdentity {
        self.identity
    }

    /// Brings the loopback device up, gives it 169.254.169.254, and listens there on port 80, for callers on that device
    /// alone. Can be called again when the last listener is closed. Takes milliseconds, and blocks for them.
    ///
    /// # Errors
    /// [`NamespaceError`]: no right to enter it, it is no network namespace, or the port is taken in it.
    pub fn listen(&self) -> Result<TcpListener, NamespaceError> {
        self.inside(|| {
            netlink::set_up_loopback().map_err(|source| self.failed("bring up the loopback device", source))?;
            netlink::add_loopback_address(ADDRESS)
                .map_err(|source| self.failed("add the metadata service's address", source))?;
            listener::listen().map_err(|source| self.failed("listen at 169.254.169.254:80", source))
        })
    }

    /// A socket that connects as one of a process in the namespace would, from wherever it is used: for probes. Takes less
    /// than a millisecond, and blocks for it.
    ///
    /// # Errors
    /// [`NamespaceError`]: no right to enter it, or no room for a socket.
    pub fn socket(&self) -> Result<TcpSocket, NamespaceError> {
        self.inside(|| {
            TcpSocket::new_v4().map_err(|error| {
                let errno = Errno::try_from(error).unwrap_or(Errno::UnknownErrno);
                self.failed("make a socket", errno)
            })
        })
    }

    /// Runs this in the namespace, on a thread of its own.
    fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T, NamespaceError> + Send) -> Result<T, NamespaceError> {
        let thread_failed = |source| NamespaceError::Thread { path: self.path.clone(), source };
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("cress-netns".to_owned())
                .spawn_scoped(scope, || {
                    setns(&self.file, CloneFlags::CLONE_NEWNET)
                        .map_err(|source| NamespaceError::Enter { path: self.path.clone(), source })?;
                    work()
                })
                .map_err(thread_failed)?
                .join()
                .unwrap_or_else(|_panic| Err(thread_failed(io::Error::other("the thread ended early"))))
        })
    }

    fn failed(&self, step: &'static str, source: Errno) -> NamespaceError {
        NamespaceError::SetUp { path: self.path.clone(), step, source }
    }
}

impl NamespaceIdentity {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_namespace_of_its_own_is_refused() {
        assert!(matches!(Namespace::open(Path::new("/proc/self/ns/net")), Err(NamespaceError::Own(_))));
        assert!(matches!(Namespace::open(Path::new("/proc/self/stat")), Err(NamespaceError::NotANamespace(_))));
        assert!(matches!(Namespace::open(Path::new("/nowhere")), Err(NamespaceError::Open { .. })));
    }

    #[test]
    fn another_kind_of_namespace_cannot_be_listened_in() {
        let namespace = Namespace::open(Path::new("/proc/self/ns/uts")).unwrap();
        assert!(matches!(namespace.listen(), Err(NamespaceError::Enter { .. })));
    }
}
