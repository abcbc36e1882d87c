// SPDX-License-Identifier: Apache-2.0
//! What the agent remembers of its instances over its own restarts: one small JSON file for each kind of fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cress_domain::InstanceId;
use cress_service::data_dir::{DataDir, DataDirError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One fact for each instance, in a file of the data directory. Changes block on the disk; those that come while another is
/// being written are written together.
#[derive(Debug)]
pub(super) struct Notes<T> {
    data_dir: Arc<DataDir>,
    file: &'static str,
    facts: Mutex<Facts<T>>,
    /// The version on the disk.
    written: Mutex<u64>,
}

#[derive(Debug)]
struct Facts<T> {
    of: BTreeMap<InstanceId, T>,
    version: u64,
}

impl<T: Clone + Serialize + DeserializeOwned> Notes<T> {
    /// Reads the file. One that cannot be read costs convenience, not safety: it is reported and begun anew.
    pub(super) fn load(data_dir: Arc<DataDir>, file: &'static str) -> Self {
        let facts = match std::fs::read(data_dir.file(file)) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(file, %error, "expected a note of an earlier life, got something else; beginning anew");
                BTreeMap::new()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(file, %error, "cannot read the note of an earlier life; beginning anew");
                BTreeMap::new()
            }
        };
        Self { data_dir, file, facts: Mutex::new(Facts { of: facts, version: 0 }), written: Mutex::new(0) }
    }

    pub(super) fn get(&self, id: InstanceId) -> Option<T> {
        self.facts().of.get(&id).cloned()
    }

    /// Changes the facts, and writes them down if the closure says that it changed something. What it returns besides is
    /// returned, also if the note could not be written: it then holds in memory alone.
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut BTreeMap<InstanceId, T>) -> (bool, R),
    ) -> (R, Result<(), DataDirError>) {
        let (version, result) = {
            let mut facts = self.facts();
            let (is_changed, result) = change(&mut facts.of);
            facts.version += u64::from(is_changed);
            (is_changed.then_some(facts.version), result)
        };
        (result, version.map_or(Ok(()), |version| self.write(version)))
    }

    /// Forgets one instance.
    pub(super) fn forget(&self, id: InstanceId) {
        let ((), written) = self.change(|facts| (facts.remove(&id).is_some(), ()));
        self.warn_unless(written);
    }

    /// Forgets all instances but those that there are at that moment, while nobody can make another note. If that cannot be
    /// told, nothing is forgotten.
    pub(super) fn retain(&self, live: impl FnOnce() -> Option<BTreeSet<InstanceId>>) {
        let ((), written) = self.change(|facts| {
            let Some(live) = live() else { return (false, ()) };
            let before = facts.len();
            facts.retain(|id, _| live.contains(id));
            (facts.len() != before, ())
        });
        self.warn_unless(written);
    }

    pub(super) fn warn_unless(&self, written: Result<(), DataDirError>) {
        if let Err(error) = written {
            tracing::warn!(%error, file = self.file, "what the node knows of its instances is not kept over a restart");
        }
    }

    /// Writes this version or a later one, unless that was done meanwhile.
    fn write(&self, version: u64) -> Result<(), DataDirError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written >= version {
            return Ok(());
        }
        let (text, version) = {
            let facts = self.facts();
            (serde_json::to_vec(&facts.of).unwrap_or_default(), facts.version)
        };
        self.data_dir.write(self.file, &text)?;
        *written = version;
        Ok(())
    }

    fn facts(&self) -> MutexGuard<'_, Facts<T>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_outlive_the_agent() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (InstanceId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]));
        let open = || Notes::<u16>::load(Arc::new(DataDir::open(directory.path()).unwrap()), "ports.json");
        let notes = open();
        for (id, port) in [(one, 1), (two, 2)] {
            notes.change(|facts| (true, facts.insert(id, port))).1.unwrap();
        }
        drop(notes);
        let notes = open();
        assert_eq!((notes.get(one), notes.get(two)), (Some(1), Some(2)));
        notes.forget(one);
        drop(notes);
        let notes = open();
        assert_eq!((notes.get(one), notes.get(two)), (None, Some(2)));
        notes.retain(|| None);
        assert_eq!(notes.get(two), Some(2));
        notes.retain(|| Some(BTreeSet::new()));
        assert_eq!(notes.get(two), None);

        notes.data_dir.write("ports.json", b"nonsense").unwrap();
        drop(notes);
        assert_eq!(open().get(two), None);
    }
}
