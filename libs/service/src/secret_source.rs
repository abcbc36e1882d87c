// SPDX-License-Identifier: Apache-2.0
//! Where a password comes from, so that none has to stand in a configuration. It is read at the start, and never shown.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cress_domain::Secret;
use serde::Deserialize;

use crate::plain_words;

/// systemd.exec(5): where a service finds its credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The largest file that is read as a password, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// Where a password comes from; as text `file:<path>`, `env:<variable>` or `credential:<name>`. A newline at its end does not count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// An environment variable of this process.
    Environment(String),
    /// A credential that systemd gives to the service (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential(String),
}

/// Why there is no password. No message holds any part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretSourceError {
    /// Not the name of a source.
    #[error(
        "expected where the password comes from, file:<path>, env:<variable> or credential:<name>, and not the password itself"
    )]
    Form,
    /// The source cannot be read.
    #[error("cannot read the password from {from}: {reason}")]
    Unreadable {
        /// Where it should be.
        from: SecretSource,
        /// Why, in plain words.
        reason: String,
    },
}

impl SecretSource {
    /// Reads the password. Blocks briefly on the disk; meant for the start of a process.
    ///
    /// # Errors
    /// [`SecretSourceError::Unreadable`]
    pub fn load(&self) -> Result<Secret<String>, SecretSourceError> {
        self.load_with(|name| env::var_os(name))
    }

    fn load_with(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Secret<String>, SecretSourceError> {
        let read = match self {
            Self::File(path) => read(path),
            Self::Environment(name) => match variable(name) {
                Some(value) => value.into_string().map_err(|_| "it is not a text".to_owned()),
                None => Err("the variable is not set".to_owned()),
            },
            Self::Credential(name) => match variable(CREDENTIALS_DIRECTORY) {
                Some(directory) => read(&Path::new(&directory).join(name)),
                None => Err(format!(
                    "{CREDENTIALS_DIRECTORY} is not set; systemd sets it for services with LoadCredential="
                )),
            },
        };
        let mut text = read.map_err(|reason| self.unreadable(reason))?;
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        if text.is_empty() { Err(self.unreadable("it is empty".to_owned())) } else { Ok(Secret::new(text)) }
    }

    fn unreadable(&self, reason: String) -> SecretSourceError {
        SecretSourceError::Unreadable { from: self.clone(), reason }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let limited = |file: File| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    let length = File::open(path).and_then(limited).map_err(|error| plain_words(&error))?;
    if length as u64 > FILE_BYTES_MAX { Err(format!("expected at most {FILE_BYTES_MAX} bytes")) } else { Ok(text) }
}

impl FromStr for SecretSource {
    type Err = SecretSourceError;
    fn from_str(text: &str) -> Result<Self, SecretSourceError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if is_name(name) => Ok(Self::Environment(name.to_owned())),
            Some(("credential", name)) if is_name(name) => Ok(Self::Credential(name.to_owned())),
            // What came is not repeated: it may be the password itself.
            _ => Err(SecretSourceError::Form),
        }
    }
}

/// One part of a path at most, and a variable that can be asked for.
fn is_name(name: &str) -> bool {
    let special = name.contains(['/', '=', '\0']) || name.chars().all(|char| char == '.');
    !name.is_empty() && !special
}

impl TryFrom<String> for SecretSource {
    type Error = SecretSourceError;
    fn try_from(text: String) -> Result<Self, SecretSourceError> {
        text.parse()
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::Credential(name) => write!(formatter, "credential:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_from_where_it_is_said_to() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("password"), "hunter2\n").unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let variable = |name: &str| match name {
            CREDENTIALS_DIRECTORY => Some(directory.path().as_os_str().to_owned()),
            "PASSWORD" => Some("hunter2".into()),
            "EMPTY" => Some("\n".into()),
            _ => None,
        };
        let load = |source: &str| source.parse::<SecretSource>().unwrap().load_with(variable);
        for good in [format!("file:{}", at("password")), "env:PASSWORD".into(), "credential:password".into()] {
            assert_eq!(load(&good).unwrap().expose(), "hunter2", "{good}");
        }
        for (bad, reason) in [
            (format!("file:{}", at("absent")), "not"),
            ("env:ABSENT".into(), "the variable is not set"),
            ("env:EMPTY".into(), "it is empty"),
            ("credential:absent".into(), "not"),
        ] {
            let message = load(&bad).unwrap_err().to_string();
            assert!(message.starts_with(&format!("cannot read the password from {bad}: ")), "{message}");
            assert!(message.contains(reason), "{message}");
        }
        for bad in ["hunter2", "file:", "env:", "credential:../a", "credential:..", "env:A=B", "vault:a"] {
            assert_eq!(bad.parse::<SecretSource>(), Err(SecretSourceError::Form), "{bad}");
        }
    }
}
