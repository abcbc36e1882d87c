// SPDX-License-Identifier: Apache-2.0
//! Secrets that the operator put in to be given out: sealed in the store, opened when they are asked for, and kept in memory only as
//! long as no replica has changed any.
//!
//! No value is ever logged, displayed, or given to the operator again.

mod fields;
mod operations;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::{Clock, Name};
use cress_keyring::{KeyEncryptionKeys, Purpose};
use cress_provider::{SecretError, SecretVersion, StoredSecrets};
use cress_store::broker::{BrokerStore, SecretVersionRecord};
use tokio::sync::Mutex;

pub(crate) use operations::SecretsError;

/// How long a change by another replica may go unnoticed.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// Opened versions in memory. Names come from the configuration; were there more, they would be opened each time.
const CACHED_MAX: usize = 1_024;

/// The stored secrets. Clones are the same.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<Inner>);

struct Inner {
    store: BrokerStore,
    keys: Arc<KeyEncryptionKeys>,
    clock: Arc<dyn Clock>,
    /// Held while the store is asked, so that it is asked once for all who wait.
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    /// Of what is kept; none if nothing is.
    revision: Option<i64>,
    looked_at: Duration,
    opened: HashMap<String, Option<SecretVersion>>,
}

impl Secrets {
    pub(crate) fn new(store: BrokerStore, keys: Arc<KeyEncryptionKeys>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { store, keys, clock, cache: Mutex::default() }))
    }

    async fn forget(&self) {
        *self.0.cache.lock().await = Cache::default();
    }

    /// Drops what is kept if the store has changed, unless that was looked at just now.
    async fn look(&self, cache: &mut Cache) -> Result<(), SecretError> {
        let now = self.0.clock.monotonic();
        if cache.revision.is_some() && now.saturating_sub(cache.looked_at) < LOOK_PERIOD {
            return Ok(());
        }
        let known = cache.revision.take();
        let revision = self.0.store.secrets_revision().await.map_err(|error| SecretError(error.to_string()))?;
        if known != Some(revision) {
            cache.opened.clear();
        }
        (cache.revision, cache.looked_at) = (Some(revision), now);
        Ok(())
    }

    fn open(&self, record: &SecretVersionRecord) -> Result<SecretVersion, SecretError> {
        let id = envelope_id(&record.name, record.version);
        let opened = self.0.keys.open(Purpose::StoredSecret, &id, &record.sealed);
        let opened = opened.map_err(|error| SecretError(error.to_string()))?;
        let fields =
            fields::read(&opened).ok_or_else(|| SecretError("its envelope holds something else".to_owned()))?;
        Ok(SecretVersion { version: record.version, fields })
    }
}

#[async_trait]
impl StoredSecrets for Secrets {
    async fn current(&self, name: &str) -> Result<Option<SecretVersion>, SecretError> {
        let mut cache = self.0.cache.lock().await;
        self.look(&mut cache).await?;
        if let Some(known) = cache.opened.get(name) {
            return Ok(known.clone());
        }
        let (revision, record) =
            self.0.store.active_secret(name).await.map_err(|error| SecretError(error.to_string()))?;
        let opened = record.as_ref().map(|record| self.open(record)).transpose()?;
        if cache.revision == Some(revision) && cache.opened.len() < CACHED_MAX {
            cache.opened.insert(name.to_owned(), opened.clone());
        }
        Ok(opened)
    }
}

/// What an envelope is bound to besides its purpose. No name holds a `#`.
fn envelope_id(name: &Name, version: u32) -> String {
    format!("{name}#{version}")
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(..)")
    }
}
