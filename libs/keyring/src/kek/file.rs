// SPDX-License-Identifier: Apache-2.0
//! A new key-encryption key in a file of its own, for those who have no other source: SQLite on one machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cress_domain::{Secret, fault};
use zeroize::Zeroizing;

use super::key::KEY_BYTES;
use super::{KeyEncryptionKey, KeyEncryptionKeyError};

const EXPLANATION: &str = "\
# The key-encryption key of cress: it opens the private keys in the database.
# Who has both this file and the database can sign as this issuer. Keep a copy of it, but never beside a backup of
# the database. Without it those private keys are lost.
";

/// Makes a key-encryption key and writes it to a new file that only its owner may read (mode 0600). Whoever reads the file, also after
/// a crash, sees the whole key or no file; a file that exists is never replaced. Blocks on the disk; meant for the start of a process.
///
/// # Errors
/// [`KeyEncryptionKeyError::Exists`] if there is a file, [`KeyEncryptionKeyError::Write`] if it cannot be written.
pub fn generate_file(path: &Path) -> Result<(), KeyEncryptionKeyError> {
    let shown = path.display().to_string();
    let content = generate()?;
    match write_new(path, content.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(KeyEncryptionKeyError::Exists { path: shown }),
        Err(error) => Err(KeyEncryptionKeyError::Write { path: shown, reason: error.to_string() }),
    }
}

/// The content of a key file with a new key before those of `former`, the content that it has now: to be written in its place whole
/// or not at all.
///
/// # Errors
/// [`KeyEncryptionKeyError::Failed`].
pub fn with_new_key(former: &str) -> Result<Zeroizing<String>, KeyEncryptionKeyError> {
    let mut content = generate()?;
    let lines = key_lines(former);
    content.reserve(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        content.push_str(line);
        content.push('\n');
    }
    Ok(content)
}

/// The content of a key file with the first key of `former` alone.
#[must_use]
pub fn with_first_key_alone(former: &str) -> Zeroizing<String> {
    let first = key_lines(former).into_iter().next().unwrap_or_default();
    Zeroizing::new(format!("{EXPLANATION}{first}\n"))
}

fn key_lines(content: &str) -> Vec<&str> {
    content.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn generate() -> Result<Zeroizing<String>, KeyEncryptionKeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(bytes.as_mut()).map_err(|_| KeyEncryptionKeyError::Failed)?;
    let key = KeyEncryptionKey::new(None, &Secret::new(*bytes))?;
    let encoded = Zeroizing::new(STANDARD.encode(bytes.as_ref()));
    Ok(Zeroizing::new(format!("{EXPLANATION}{}:{}\n", key.id(), encoded.as_str())))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_and_link(&temporary, path, content);
    // Whether it worked or not; a leftover would be one more copy of the key.
    fs::remove_file(&temporary).ok();
    written?;
    sync_parent(path)
}

/// A link, unlike a renaming, never replaces anything.
fn write_and_link(temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    fs::remove_file(temporary).ok();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fault::point("before a key-encryption key has its name");
    fs::hard_link(temporary, path)?;
    fault::point("after a key-encryption key has its name");
    Ok(())
}

/// Without it the new name itself may be lost in a crash, after keys were sealed.
#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}
