// SPDX-License-Identifier: Apache-2.0
//! Certificate and key from files, followed when they change.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::{Identity, TlsError, fingerprint};
use crate::{Shutdown, plain_words};

/// How often the files are looked at.
const POLL_PERIOD: Duration = Duration::from_secs(5);

/// The largest certificate or key file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where a server's certificate and key are; configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain in PEM, the server's own certificate first. Read again when it changes.
    pub certificate_file: PathBuf,
    /// Its private key in PEM, not encrypted. Read again when it changes.
    pub key_file: PathBuf,
}

/// An [`Identity`] that follows its files.
pub struct FileIdentity {
    identity: Identity,
    files: CertificateFiles,
    clock: Arc<dyn Clock>,
    /// Of what was last read, whether it was good or not, so that a bad file is reported once. Their content is what counts: times
    /// of files are too coarse, and tell nothing where links are swapped.
    seen: [u8; 32],
    last_error: Option<String>,
}

impl FileIdentity {
    /// Reads and checks the files. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`TlsError`] with the files' names: unreadable, not a pair, expired, not yet valid.
    pub fn load(files: CertificateFiles, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let mut loaded = Self { identity: Identity::none(), files, clock, seen: [0; 32], last_error: None };
        loaded.reload()?;
        warn_if_readable_by_all(&loaded.files.key_file);
        Ok(loaded)
    }

    /// The identity, for a TLS configuration.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Looks at the files; tells whether a new certificate is in use.
    ///
    /// # Errors
    /// Like [`FileIdentity::load`]. The old certificate then stays in use, and the same bad files are no error a second time.
    pub fn reload(&mut self) -> Result<bool, TlsError> {
        let chain = read(&self.files.certificate_file)?;
        let key = Secret::new(read(&self.files.key_file)?);
        let seen = fingerprint(&[&fingerprint(&chain)[..], &fingerprint(key.expose())].concat());
        if seen == self.seen {
            return Ok(false);
        }
        self.seen = seen;
        self.identity.replace_pem(&chain, &key, self.clock.as_ref()).map_err(|cause| TlsError::Files {
            certificate_file: self.files.certificate_file.clone(),
            key_file: self.files.key_file.clone(),
            cause: Box::new(cause),
        })?;
        Ok(true)
    }

    /// Follows the files until the process stops. Bad new files are logged, and the old certificate stays.
    pub fn watch(mut self, shutdown: &Shutdown) {
        let stop = shutdown.requested();
        shutdown.spawn("watch certificate files", async move {
            let mut ticks = interval(POLL_PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let follow = async {
                loop {
                    ticks.tick().await;
                    let looked = tokio::task::spawn_blocking(move || {
                        self.look();
                        self
                    });
                    match looked.await {
                        Ok(this) => self = this,
                        // The process stops.
                        Err(_) => break,
                    }
                }
            };
            tokio::select! {
                () = follow => {}
                () = stop => {}
            }
        });
    }

    fn look(&mut self) {
        match self.reload() {
            Ok(true) => {
                let not_after = self.identity.not_after().map(|time| time.to_string());
                self.last_error = None;
                tracing::info!(certificate = %self.files.certificate_file.display(), not_after, "new certificate in use");
            }
            Ok(false) => {}
            // While files are being replaced they may be absent; once is enough to say so.
            Err(error) if self.last_error.replace(error.to_string()) == Some(error.to_string()) => {}
            Err(error) => tracing::error!(%error, "certificate not reloaded; the old one stays in use"),
        }
    }
}

impl std::fmt::Debug for FileIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FileIdentity").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
    let mut content = Vec::new();
    let limited = |file: File| file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut content);
    File::open(path).and_then(limited).map_err(|error| unreadable(plain_words(&error)))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(format!("expected at most {FILE_BYTES_MAX} bytes")));
    }
    Ok(content)
}

#[cfg(unix)]
fn warn_if_readable_by_all(key_file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if key_file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
        tracing::warn!(key_file = %key_file.display(), "every user of this machine can read the private key; chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_all(_key_file: &Path) {}
