// SPDX-License-Identifier: Apache-2.0
//! What all instances of the node share.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, InstanceId, MachineId, Random};
use cress_driver::Driver;
use cress_service::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::condition::Summaries;
use super::notes::Notes;
use super::place::Places;
use super::ports::Ports;
use super::reports::Reports;
use crate::config::Config;
use crate::metrics::NodeMetrics;
use crate::tokens::TokenCache;

/// Places made and commands started at once; more wait for their turn.
const STARTS_MAX: usize = 16;
const FINISHED_FILE: &str = "finished.json";

/// What all instances share.
pub(crate) struct Context {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) machine_id: MachineId,
    pub(super) tokens: TokenCache,
    pub(super) metrics: NodeMetrics,
    pub(super) places: Places,
    /// Instances that will not run again, which a restart of the agent must not run again either.
    pub(super) finished: Notes<Finished>,
    pub(super) reports: Arc<Reports>,
    pub(super) summaries: Summaries,
    pub(super) starts: Semaphore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) drain_time: Duration,
    pub(super) capacity: usize,
}

/// What became of an instance that its restart policy leaves ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finished {
    pub(super) succeeded: bool,
    pub(super) detail: String,
}

/// What making it takes.
pub(crate) struct Parts {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) machine_id: MachineId,
    pub(crate) tokens: TokenCache,
    pub(crate) metrics: NodeMetrics,
    pub(crate) data_dir: Arc<DataDir>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Context {
    pub(crate) fn new(parts: Parts, config: &Config) -> Self {
        let Parts { driver, machine_id, tokens, metrics, data_dir, clock, random } = parts;
        let ports = Ports::new(config.imds.listen_address, config.imds.base_port, Arc::clone(&data_dir));
        Self {
            driver,
            machine_id,
            tokens,
            metrics,
            places: Places::new(ports, config.imds.limits.clone()),
            finished: Notes::load(data_dir, FINISHED_FILE),
            reports: Arc::default(),
            summaries: Summaries::new(),
            starts: Semaphore::new(STARTS_MAX),
            clock,
            random,
            drain_time: Duration::from_secs(config.drain_seconds.into()),
            capacity: usize::try_from(config.capacity).unwrap_or(usize::MAX),
        }
    }

    /// Keeps what became of an instance. Blocks on the disk.
    pub(super) fn finish(&self, id: InstanceId, finished: Finished) {
        let ((), written) = self.finished.change(|all| {
            let before = all.insert(id, finished.clone());
            (before != Some(finished), ())
        });
        self.finished.warn_unless(written);
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking(work: impl FnOnce() + Send + 'static) {
    if tokio::task::spawn_blocking(work).await.is_err() {
        tracing::error!("work on the disk was not done");
    }
}
