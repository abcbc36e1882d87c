// SPDX-License-Identifier: Apache-2.0
//! The broker's store as a sink.

use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::Timestamp;
use cress_store::StoreError;
use cress_store::audit::{AuditLine, AuditStore};

use super::{Sink, SinkError};
use crate::audit::chain::{Head, Line, LineHash};

/// How many chains a new one names: with replicas, several run at once.
const HEADS_MAX: u32 = 16;

/// The store.
#[derive(Debug)]
pub(super) struct StoreSink {
    store: AuditStore,
    begun_at: Timestamp,
}

impl StoreSink {
    pub(super) const fn new(store: AuditStore, begun_at: Timestamp) -> Self {
        Self { store, begun_at }
    }
}

/// Where the latest chains have ended.
pub(super) async fn heads(store: &AuditStore) -> Result<Vec<Head>, StoreError> {
    let mut heads = Vec::new();
    for chain in store.latest_chains(HEADS_MAX).await? {
        let Some(line) = store.line(&chain.chain, chain.last_seq).await? else { continue };
        // A text that is no id was not written by us, and is what verifying is for.
        let Ok(id) = chain.chain.parse() else { continue };
        heads.push(Head { chain: id, seq: chain.last_seq, hash: LineHash::of(line.as_bytes()) });
    }
    Ok(heads)
}

#[async_trait]
impl Sink for StoreSink {
    fn name(&self) -> &str {
        "the store"
    }

    async fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError> {
        let Some(first) = lines.first() else { return Ok(()) };
        let chain = first.chain.to_string();
        let stored: Vec<_> = lines.iter().map(|line| AuditLine { seq: line.seq, line: line.text.clone() }).collect();
        self.store.append(&chain, self.begun_at, &stored).await.map_err(|error| SinkError(error.to_string()))
    }
}
