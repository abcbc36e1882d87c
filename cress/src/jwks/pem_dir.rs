// SPDX-License-Identifier: Apache-2.0
//! A directory with a file for each key. Only files that were made here are ever replaced or removed: their names stand in a list
//! beside them, which is written before they are.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, ensure};

use super::disk::{Disk, holds};
use super::file_name;

/// Programs that read whole directories leave out what begins with a dot.
const LIST: &str = ".cress-jwks-sync";
/// Longest list that is looked at: twice as many names as a set has keys.
const LIST_BYTES_MAX: u64 = 256 * 1024;

/// Writes the keys' files. Those of keys that are gone stay until [`remove_others`].
pub(super) fn write(disk: &mut Disk<'_>, directory: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    make(directory)?;
    let ours = listed(directory);
    for (name, content) in files.iter().filter(|(name, _)| !ours.contains(name)) {
        let path = directory.join(name);
        let free = !path.exists() || holds(&path, content);
        ensure!(free, "{} was not made by this command: remove it, or choose another directory", path.display());
    }
    let both: BTreeSet<String> = ours.into_iter().chain(files.iter().map(|(name, _)| name.clone())).collect();
    list(disk, directory, &both)?;
    for (name, content) in files {
        disk.put(&directory.join(name), content)?;
    }
    Ok(())
}

/// Removes the files of keys that are gone.
pub(super) fn remove_others(disk: &mut Disk<'_>, directory: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    let current: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
    for name in listed(directory).difference(&current) {
        disk.remove(&directory.join(name))?;
    }
    list(disk, directory, &current)
}

/// Nothing where there is no list. A name that cannot have been made here is passed over, so that nothing outside is touched.
fn listed(directory: &Path) -> BTreeSet<String> {
    let mut text = String::new();
    let _unreadable =
        File::open(directory.join(LIST)).and_then(|file| file.take(LIST_BYTES_MAX).read_to_string(&mut text));
    let is_ours = |name: &&str| name.strip_suffix(".pem").is_some_and(file_name::is_plain);
    text.lines().filter(is_ours).map(str::to_owned).collect()
}

fn list(disk: &mut Disk<'_>, directory: &Path, names: &BTreeSet<String>) -> anyhow::Result<()> {
    let text: String = names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
    disk.put_aside(&directory.join(LIST), &text)?;
    Ok(())
}

/// Makes it, for all to read, unless it is there.
fn make(directory: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().create(directory) {
        Ok(()) => open_to_all(directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make the directory {}", directory.display())),
    }
}

#[cfg(unix)]
fn open_to_all(directory: &Path) -> anyhow::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory, mode).with_context(|| format!("cannot open {} to all", directory.display()))
}

#[cfg(not(unix))]
fn open_to_all(_directory: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(directory: &Path, names: &[&str]) -> anyhow::Result<(usize, usize)> {
        let files: Vec<_> = names.iter().map(|name| (format!("{name}.pem"), format!("key {name}"))).collect();
        let mut disk = Disk::new(None);
        write(&mut disk, directory, &files)?;
        remove_others(&mut disk, directory, &files)?;
        let (written, removed) = disk.changes();
        Ok((written.len(), removed.len()))
    }

    #[test]
    fn keys_come_and_go_and_nothing_else_is_touched() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("keys");
        assert_eq!(update(&directory, &["a", "b"]).unwrap(), (2, 0));
        assert_eq!(update(&directory, &["a", "b"]).unwrap(), (0, 0));
        let foreign = directory.join("server.pem");
        std::fs::write(&foreign, "of somebody else").unwrap();
        assert_eq!(update(&directory, &["b", "c"]).unwrap(), (1, 1));
        assert!(!directory.join("a.pem").exists());

        let error = update(&directory, &["server"]).unwrap_err().to_string();
        assert!(error.contains("was not made by this command"), "{error}");
        assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "of somebody else");
        assert!(directory.join("b.pem").exists());
    }

    #[test]
    fn a_list_that_was_tampered_with_leads_nowhere() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("keys");
        update(&directory, &["a"]).unwrap();
        let outside = parent.path().join("outside.pem");
        std::fs::write(&outside, "x").unwrap();
        std::fs::write(directory.join("key.txt"), "x").unwrap();
        std::fs::write(directory.join(LIST), "../outside.pem\n..\n/etc/passwd\nkey.txt\na.pem\n").unwrap();
        assert_eq!(update(&directory, &["b"]).unwrap(), (1, 1));
        assert!(outside.exists() && directory.join("key.txt").exists());
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for directory in [file.clone(), file.join("below"), parent.path().join("no/parent")] {
            assert!(update(&directory, &["a"]).is_err(), "{}", directory.display());
        }
    }
}
