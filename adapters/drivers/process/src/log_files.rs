// SPDX-License-Identifier: Apache-2.0
//! Where instances' logs lie, and how many of those of ended instances are kept.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cress_domain::InstanceId;

/// Ended instances whose logs are kept: the last of them.
const ENDED_MAX: usize = 100;

pub(crate) fn directory(driver: &Path) -> PathBuf {
    driver.join("logs")
}

pub(crate) fn path(driver: &Path, id: InstanceId) -> PathBuf {
    directory(driver).join(format!("{id}.log"))
}

/// Removes the oldest logs of instances that are not `live`. What cannot be removed is tried again the next time.
pub(crate) fn prune(driver: &Path, live: &HashSet<InstanceId>) {
    let mut ended: Vec<(SystemTime, InstanceId)> =
        last_written(driver).into_iter().filter(|(id, _)| !live.contains(id)).map(|(id, at)| (at, id)).collect();
    ended.sort_unstable_by(|one, other| other.cmp(one));
    for (_, id) in ended.into_iter().skip(ENDED_MAX) {
        let path = path(driver, id);
        let _next_time = fs::remove_file(path.with_extension("log.1"));
        let _next_time = fs::remove_file(path);
    }
}

fn last_written(driver: &Path) -> HashMap<InstanceId, SystemTime> {
    let mut found = HashMap::new();
    for entry in fs::read_dir(directory(driver)).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        if let Some(id) = entry.file_name().to_str().and_then(instance) {
            let latest = found.entry(id).or_insert(written);
            *latest = written.max(*latest);
        }
    }
    found
}

fn instance(file_name: &str) -> Option<InstanceId> {
    file_name.strip_suffix(".log").or_else(|| file_name.strip_suffix(".log.1"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_of_the_last_to_end_are_kept() {
        let driver = tempfile::tempdir().unwrap();
        fs::create_dir(directory(driver.path())).unwrap();
        let id = |number: u8| InstanceId::from_bytes([number; 16]);
        for number in 0..ENDED_MAX as u8 + 10 {
            let file = fs::File::create(path(driver.path(), id(number))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number.into())).unwrap();
        }
        fs::write(path(driver.path(), id(1)).with_extension("log.1"), "new").unwrap();
        fs::write(directory(driver.path()).join("notes.log"), "").unwrap();
        prune(driver.path(), &HashSet::from([id(3)]));
        let exists = |number| path(driver.path(), id(number)).exists();
        assert!(exists(1), "its other file is new");
        assert!(exists(3), "it is live");
        assert!(!exists(0) && !exists(2) && !exists(4) && !exists(10) && exists(11));
        assert!(directory(driver.path()).join("notes.log").exists());
    }
}
