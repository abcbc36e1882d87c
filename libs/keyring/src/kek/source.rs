// SPDX-License-Identifier: Apache-2.0
//! Where a key-encryption key comes from.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::parse;
use super::{KeyEncryptionKey, KeyEncryptionKeyError};

/// systemd.exec(5): where a service finds its credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The largest file that is read as a key, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// Where a key-encryption key comes from; configuration. As text `file:<path>`, `env:<variable>` or `credential:<name>`.
///
/// In each a key is 32 bytes in base64, as `openssl rand -base64 32` makes them, on a line of its own, with a name before it if
/// it is to have one: `2025-03:aGVsbG8...`. Of several the first seals, and the others open what was sealed with them. Lines that
/// begin with `#` do not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyEncryptionKeySource {
    /// A file, which must not lie where the database's backups go.
    File(PathBuf),
    /// An environment variable of this process.
    Environment(String),
    /// A credential that systemd gives to the service (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential(String),
}

impl KeyEncryptionKeySource {
    /// Reads the keys, of which there is at least one. Blocks briefly on the disk.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError::Unreadable`] or [`KeyEncryptionKeyError::Malformed`].
    pub fn load(&self) -> Result<Vec<KeyEncryptionKey>, KeyEncryptionKeyError> {
        self.load_with(|name| env::var_os(name))
    }

    pub(super) fn load_with(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Vec<KeyEncryptionKey>, KeyEncryptionKeyError> {
        let read = match self {
            Self::File(path) => read(path),
            Self::Environment(name) => match variable(name) {
                Some(value) => value.into_string().map(Zeroizing::new).map_err(|_| "it is not a text".to_owned()),
                None => Err("the variable is not set".to_owned()),
            },
            Self::Credential(name) => match variable(CREDENTIALS_DIRECTORY) {
                Some(directory) => read(&Path::new(&directory).join(name)),
                None => Err(format!(
                    "{CREDENTIALS_DIRECTORY} is not set; systemd sets it for services with LoadCredential="
                )),
            },
        };
        let text = read.map_err(|reason| KeyEncryptionKeyError::Unreadable { from: self.clone(), reason })?;
        parse(&text).ok_or_else(|| KeyEncryptionKeyError::Malformed { from: self.clone() })
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    // Room for all of it from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 1));
    let limited = |file: File| {
        warn_if_readable_by_all(path, &file);
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    };
    let length = File::open(path).and_then(limited).map_err(|error| error.to_string())?;
    if length as u64 > FILE_BYTES_MAX { Err(format!("expected at most {FILE_BYTES_MAX} bytes")) } else { Ok(text) }
}

#[cfg(unix)]
fn warn_if_readable_by_all(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
        let path = path.display();
        tracing::warn!(%path, "every user of this machine can read the key-encryption key; chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_all(_path: &Path, _file: &File) {}

impl FromStr for KeyEncryptionKeySource {
    type Err = KeyEncryptionKeyError;
    fn from_str(text: &str) -> Result<Self, KeyEncryptionKeyError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if is_name(name) => Ok(Self::Environment(name.to_owned())),
            Some(("credential", name)) if is_name(name) => Ok(Self::Credential(name.to_owned())),
            // What came is not repeated: it may be the key itself.
            _ => Err(KeyEncryptionKeyError::Source),
        }
    }
}

/// One part of a path at most, and a variable that can be asked for.
fn is_name(name: &str) -> bool {
    let special = name.contains(['/', '=', '\0']) || name.chars().all(|char| char == '.');
    !name.is_empty() && !special
}

impl TryFrom<String> for KeyEncryptionKeySource {
    type Error = KeyEncryptionKeyError;
    fn try_from(text: String) -> Result<Self, KeyEncryptionKeyError> {
        text.parse()
    }
}

impl From<KeyEncryptionKeySource> for String {
    fn from(source: KeyEncryptionKeySource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for KeyEncryptionKeySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::Credential(name) => write!(formatter, "credential:{name}"),
        }
    }
}
