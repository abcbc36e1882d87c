// SPDX-License-Identifier: Apache-2.0
//! What the rest of the broker records with.

use std::sync::Arc;
use std::time::Duration;

use cress_service::metrics::Metrics;

use super::metrics::AuditMetrics;
use super::queue::Queue;
use super::{AuditUnavailable, HashKey, Hashed, KeyedHash, Record};

/// Records decisions. Cheap to clone; all clones write one chain.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Shared>);

/// The chain ends with the last handle.
#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    hash_key: HashKey,
    metrics: AuditMetrics,
    /// How long a record is waited for.
    wait_max: Duration,
}

impl Audit {
    pub(super) fn new(queue: Arc<Queue>, hash_key: HashKey, metrics: AuditMetrics, wait_max: Duration) -> Self {
        Self(Arc::new(Shared { queue, hash_key, metrics, wait_max }))
    }

    /// Makes a record durable in every sink. To be called before a credential is handed out.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: it is not durable, and nothing may be handed out. It comes within the wait that is set, and at once while a
    /// sink is known to fail. The line may still be written when the sink can be written again, so what is undone is to be recorded too.
    pub async fn record(&self, record: &Record) -> Result<(), AuditUnavailable> {
        let outcome = self.durable(record).await;
        if outcome.is_err() {
            self.0.metrics.refused.inc();
        }
        outcome
    }

    async fn durable(&self, record: &Record) -> Result<(), AuditUnavailable> {
        let written = self.0.queue.push_waiting(body(record)?)?;
        match tokio::time::timeout(self.0.wait_max, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.0.queue.why_dropped()),
            Err(_) => Err(AuditUnavailable::TooSlow(self.0.wait_max)),
        }
    }

    /// Notes what was done and cannot wait, such as a revocation. It returns at once. What comes faster than a sink takes it waits in a
    /// backlog, during which new credentials are refused; what finds even that full is counted, and the count is recorded.
    pub fn note(&self, record: &Record) {
        let kept = body(record).is_ok_and(|body| self.0.queue.push(body));
        if !kept {
            self.0.metrics.lost.inc();
        }
    }

    /// A token or secret as records have it.
    #[must_use]
    pub fn hash(&self, kind: Hashed, secret: &[u8]) -> KeyedHash {
        self.0.hash_key.hash(kind, secret)
    }

    /// Publishes what is counted.
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| self.0.metrics.register(registry, Arc::clone(&self.0.queue)));
    }

    /// Why a record would be refused now without being tried; for readiness.
    ///
    /// # Errors
    /// [`AuditUnavailable`]
    pub fn ready(&self) -> Result<(), AuditUnavailable> {
        self.0.queue.ready()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The record's members, without the braces' first: the rest of its line is known when its turn comes.
fn body(record: &Record) -> Result<String, AuditUnavailable> {
    serde_json::to_string(record).map_err(|_| AuditUnavailable::Unwritable)
}
