// SPDX-License-Identifier: Apache-2.0
//! All outputs of one command, brought to what a key set says.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cress_domain::Timestamp;
use cress_jose::JwkSet;

use super::disk::Disk;
use super::signer::Choice;
use super::target::{Kind, Target};
use super::{pem_dir, render};

/// The outputs.
pub(super) struct Files {
    pub(super) targets: Vec<Target>,
    pub(super) choice: Choice,
    /// Written before the first change, if something is to be reloaded after it.
    pub(super) marker: Option<PathBuf>,
}

/// What an update did.
#[derive(Default)]
pub(super) struct Updated {
    pub(super) written: Vec<PathBuf>,
    pub(super) removed: Vec<PathBuf>,
    /// Why some outputs are not what they should be.
    pub(super) errors: Vec<anyhow::Error>,
}

impl Files {
    /// Writes what differs. One output that cannot be written keeps no other from it, but for those that name its files. At every
    /// moment each name that one file has for another leads to a file: new keys' files come first, old ones go last.
    pub(super) fn update(&self, set: &JwkSet, now: Timestamp) -> Updated {
        let mut disk = Disk::new(self.marker.as_deref());
        let mut errors = Vec::new();
        let pem_files = render::pem_files(set);
        let directories = || self.targets.iter().filter(|target| target.kind == Kind::PemDir);
        for target in directories() {
            errors.extend(pem_dir::write(&mut disk, &target.path, &pem_files).err());
        }
        let directory = directories().next().map(|target| target.path.as_path()).filter(|_| errors.is_empty());
        for target in self.targets.iter().filter(|target| target.kind != Kind::PemDir) {
            errors.extend(self.write(&mut disk, target, directory, set, now).err());
        }
        if errors.is_empty() {
            let removed = directories().map(|target| pem_dir::remove_others(&mut disk, &target.path, &pem_files));
            errors = removed.filter_map(Result::err).collect();
        }
        let (written, removed) = disk.changes();
        Updated { written, removed, errors }
    }

    fn write(
        &self,
        disk: &mut Disk<'_>,
        target: &Target,
        directory: Option<&Path>,
        set: &JwkSet,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let content = match (target.kind, directory) {
            (Kind::Jwks, _) => render::jwks(set),
            (Kind::Pem, _) => render::pem(set),
            (Kind::Jwk, _) => render::jwk(set, &self.choice, now).with_context(|| unwritten(target))?,
            (Kind::HaproxyMap, Some(directory)) => {
                render::haproxy_map(set, directory).with_context(|| unwritten(target))?
            }
            (Kind::HaproxyConfig, Some(directory)) => {
                render::haproxy_config(set, directory).with_context(|| unwritten(target))?
            }
            // The directory's own error is told.
            (Kind::HaproxyMap | Kind::HaproxyConfig, None) | (Kind::PemDir, _) => return Ok(()),
        };
        disk.put(&target.path, &content)
    }
}

fn unwritten(target: &Target) -> String {
    format!("{} stays as it is", target.path.display())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cress_jose::SigningKey;

    use super::*;

    fn set(kids: &[&str]) -> JwkSet {
        let key = |kid: &&str| SigningKey::generate(kid.parse().unwrap()).unwrap().public_jwk();
        JwkSet::new(kids.iter().map(key).collect()).unwrap()
    }

    fn files(directory: &Path, outputs: &[(&str, &str)]) -> Files {
        let target =
            |(kind, name): &(&str, &str)| format!("{kind}:{}", directory.join(name).display()).parse().unwrap();
        let targets = outputs.iter().map(target).collect();
        Files { targets, choice: Choice::ByAge(Duration::ZERO), marker: Some(directory.join("marker")) }
    }

    #[test]
    fn one_output_that_fails_keeps_no_other_from_being_written() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), &[("pem", "none/a"), ("jwk", "one"), ("jwks", "all")]);
        let updated = files.update(&set(&["a", "b"]), Timestamp::default());
        assert_eq!((updated.errors.len(), updated.written.len()), (2, 1));
        assert!(format!("{:#}", updated.errors[1]).contains("use --kid"), "{:#}", updated.errors[1]);
        assert!(directory.path().join("all").exists());
    }

    #[test]
    fn nothing_names_files_that_could_not_be_written() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("keys"), "in the way").unwrap();
        let outputs = [("haproxy-map", "map"), ("pem-dir", "keys"), ("haproxy-config", "cfg"), ("pem", "all")];
        let updated = files(directory.path(), &outputs).update(&set(&["a"]), Timestamp::default());
        assert_eq!((updated.errors.len(), updated.written), (1, vec![directory.path().join("all")]));
    }

    #[test]
    fn files_of_keys_that_are_gone_go_only_when_nothing_names_them_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), &[("pem-dir", "keys"), ("haproxy-map", "map")]);
        assert!(files.update(&set(&["a"]), Timestamp::default()).errors.is_empty());
        let map = directory.path().join("map");
        std::fs::remove_file(&map).unwrap();
        std::fs::create_dir(&map).unwrap();
        let updated = files.update(&set(&["b"]), Timestamp::default());
        assert_eq!((updated.errors.len(), updated.removed.len()), (1, 0));
        std::fs::remove_dir(&map).unwrap();
        let updated = files.update(&set(&["b"]), Timestamp::default());
        assert_eq!((updated.errors.len(), updated.removed), (0, vec![directory.path().join("keys/a.pem")]));
    }
}
