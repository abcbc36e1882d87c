// SPDX-License-Identifier: Apache-2.0
//! What the agent remembers of its instances over its own restarts: one small JSON file for each kind of fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cress_domain::InstanceId;
use cress_service::data_dir::{DataDir, DataDirError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One fact for each instance, in a file of the data directory. Changes block on the disk.
#[derive(Debug)]
pub(super) struct Notes<T> {
    data_dir: Arc<DataDir>,
    file: &'static str,
    facts: Mutex<BTreeMap<InstanceId, T>>,
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
        Self { data_dir, file, facts: Mutex::new(facts) }
    }

    pub(super) fn get(&self, id: InstanceId) -> Option<T> {
        self.facts().get(&id).cloned()
    }

    /// Changes the facts, and writes them down if the closure says that it changed something. What it returns besides is
    /// returned, also if the note could not be written: it then holds in memory alone.
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut BTreeMap<InstanceId, T>) -> (bool, R),
    ) -> (R, Result<(), DataDirError>) {
        let mut facts = self.facts();
        let (is_changed, result) = change(&mut facts);
        let written = if is_changed { self.write(&facts) } else { Ok(()) };
        (result, written)
    }

    /// Forgets one instance.
    pub(super) fn forget(&self, id: InstanceId) {
        let ((), written) = self.change(|facts| (facts.remove(&id).is_some(), ()));
        self.warn_unless(written);
    }

    /// Forgets all instances but these.
    pub(super) fn retain(&self, live: &BTreeSet<InstanceId>) {
        let ((), written) = self.change(|facts| {
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

    fn write(&self, facts: &BTreeMap<InstanceId, T>) -> Result<(), DataDirError> {
        let text = serde_json::to_vec(facts).unwrap_or_default();
        self.data_dir.write(self.file, &text)
    }

    fn facts(&self) -> MutexGuard<'_, BTreeMap<InstanceId, T>> {
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
        notes.retain(&BTreeSet::new());
        assert_eq!(notes.get(two), None);

        notes.data_dir.write("ports.json", b"nonsense").unwrap();
        drop(notes);
        assert_eq!(open().get(two), None);
    }
}
