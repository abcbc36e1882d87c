// SPDX-License-Identifier: Apache-2.0
//! Opening listeners, with one sentence for each way in which that fails.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::plain_words;

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another process has the port.
    #[error("port {} on {} is taken by another program; stop it or choose another with {setting}", address.port(), address.ip())]
    Taken {
        /// The address.
        address: SocketAddr,
        /// The flag or key that sets it.
        setting: String,
    },
    /// A port that only a privileged process may open.
    #[error("permission to listen on port {} denied; choose one above 1023 with {setting}, or grant CAP_NET_BIND_SERVICE", address.port())]
    Denied {
        /// The address.
        address: SocketAddr,
        /// The flag or key that sets it.
        setting: String,
    },
    /// The machine has no such address.
    #[error("this machine has no address {}; choose another with {setting}", address.ip())]
    NoSuchAddress {
        /// The address.
        address: SocketAddr,
        /// The flag or key that sets it.
        setting: String,
    },
    /// Anything else about a TCP address.
    #[error("cannot listen on {address} (set with {setting}): {reason}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// The flag or key that sets it.
        setting: String,
        /// Why, in plain words.
        reason: String,
    },
    /// A Unix socket that another process answers on.
    #[error("another process already listens on {}; stop it first", path.display())]
    SocketInUse {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else about a Unix socket.
    #[error("cannot listen on the socket {}: {reason}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; never port 0.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => path.display().fmt(formatter),
        }
    }
}

/// An open listener. One of a Unix socket removes the socket when it is dropped.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    address: Address,
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Opens a TCP port; port 0 means any free one. `setting` is the flag or key that the operator would change, for the error.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn tcp(address: SocketAddr, setting: &str) -> Result<Self, ListenError> {
        let error = |error| tcp_error(address, setting, &error);
        let listener = TcpListener::bind(address).await.map_err(error)?;
        Self::from_tcp(listener).map_err(error)
    }

    /// Takes a TCP listener that is already open, such as one made inside a network namespace.
    ///
    /// # Errors
    /// The operating system's, if it does not tell the address.
    pub fn from_tcp(listener: TcpListener) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Self {
            socket: Socket::Tcp(listener),
            address,
            #[cfg(unix)]
            _file: None,
        })
    }

    /// Opens a Unix socket that only its owner may connect to (mode 0600), in the place of one that a dead process left.
    ///
    /// # Errors
    /// [`ListenError`]
    #[cfg(unix)]
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        let error =
            |error: io::Error| ListenError::Socket { path: path.to_owned(), reason: socket_words(path, &error) };
        remove_stale(path)?;
        let listener = bind_for_owner(path).map_err(error)?;
        let file = SocketFile(path.to_owned());
        Ok(Self { socket: Socket::Unix(listener), address: Address::Unix(path.to_owned()), _file: Some(file) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The port, of a TCP listener.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match &self.address {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(_) => None,
        }
    }
}

fn tcp_error(address: SocketAddr, setting: &str, error: &io::Error) -> ListenError {
    let setting = setting.to_owned();
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { address, setting },
        io::ErrorKind::PermissionDenied => ListenError::Denied { address, setting },
        io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress { address, setting },
        _ => ListenError::Tcp { address, setting, reason: plain_words(error) },
    }
}

/// Removes the socket when its listener is gone.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it is gone already, that is what was wanted.
        std::fs::remove_file(&self.0).ok();
    }
}

/// A socket on which nobody answers is a dead process's. Anything that is no socket is left alone.
#[cfg(unix)]
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    let error = |reason: String| ListenError::Socket { path: path.to_owned(), reason };
    match path.symlink_metadata() {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(unknown) => return Err(error(plain_words(&unknown))),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(error("something else is in its place; remove it".to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|cause| error(plain_words(&cause)))
        }
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(ListenError::SocketInUse { path: path.to_owned() }),
    }
}

/// Bound under another name, restricted, then renamed: at no moment may another user connect. (The mode cannot be given to
/// `bind`, and a process has but one umask.)
#[cfg(unix)]
fn bind_for_owner(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = directory.join(format!(".{}", std::process::id()));
    std::fs::remove_dir_all(&private).ok();
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&private)?;
    let temporary = private.join("s");
    let bound = UnixListener::bind(&temporary).and_then(|listener| {
        std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&temporary, path)?;
        Ok(listener)
    });
    std::fs::remove_dir_all(&private).ok();
    bound
}

#[cfg(unix)]
fn socket_words(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        // The kernel's limit on a socket's path is 107 bytes.
        io::ErrorKind::InvalidInput => {
            format!("its path of {} bytes is too long; choose a shorter --data-dir", path.as_os_str().len())
        }
        _ => plain_words(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_privileged_port_has_a_sentence() {
        let address = SocketAddr::from(([0, 0, 0, 0], 80));
        let message = tcp_error(address, "--listen", &io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(message.starts_with("permission to listen on port 80 denied; choose one above 1023 with --listen"));
        let other = tcp_error(address, "--listen", &io::Error::from_raw_os_error(24)).to_string();
        assert!(other.starts_with("cannot listen on 0.0.0.0:80 (set with --listen): "), "{other}");
    }
}
