// SPDX-License-Identifier: Apache-2.0
//! The start: the keys are had, the sinks are opened, and a new chain says where the last ones ended.

use std::fmt;
use std::sync::Arc;

use cress_domain::{Clock, DeploymentId, Random};
use cress_keyring::KeyEncryptionKeys;
use cress_service::Shutdown;
use cress_store::audit::AuditStore;

use super::chain::{Chain, Ended, Head, LineKind, Place, Start};
use super::metrics::AuditMetrics;
use super::queue::Queue;
use super::sink::{self, Opened, Sink};
use super::writer::Writer;
use super::{Audit, AuditKeys, AuditStartError, Settings};

/// What recording is given by whoever starts it.
#[derive(Clone)]
pub struct AuditPorts {
    /// Where the keys rest, and the records if the settings say so.
    pub store: AuditStore,
    /// What opens the keys.
    pub keys: Arc<KeyEncryptionKeys>,
    /// Whose records these are.
    pub deployment: DeploymentId,
    /// The version of the program.
    pub version: &'static str,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// When to stop. The chain is ended when nothing was recorded for half a second after that, or everyone who records is gone.
    pub shutdown: Shutdown,
}

impl Audit {
    /// Begins a chain. Its writer runs until the process stops.
    ///
    /// # Errors
    /// [`AuditStartError`]: what is set cannot be, the keys cannot be had, or a sink cannot be opened. A disk that is full is no such
    /// reason: what is to be revoked is revoked then too.
    pub async fn start(settings: &Settings, ports: AuditPorts) -> Result<Self, AuditStartError> {
        settings.check()?;
        let AuditPorts { store, keys, clock, random, .. } = &ports;
        let keys = AuditKeys::open(store, keys, random.as_ref(), clock.as_ref()).await?;
        let begun_at = clock.now();
        let (mut sinks, mut stored, mut in_files) = (Vec::new(), Vec::new(), Vec::new());
        for name in &settings.sinks {
            let Opened { sink, place, heads } = sink::open(name, store, begun_at).await?;
            sinks.push(sink);
            match place {
                Some(Place::Store) => stored = heads,
                Some(Place::File) => in_files.push(heads),
                None => {}
            }
        }
        let stored = stored.into_iter().map(|head| Ended::new(head, Place::Store));
        let in_files = in_all(&in_files).into_iter().map(|head| Ended::new(head, Place::File));
        let ended: Vec<Ended> = stored.chain(in_files).collect();
        Ok(begin(settings, &ports, &keys, sinks, &ended))
    }
}

/// Where the chains have come to that all files have, each as far as every file has it: nobody knows later which file it was.
fn in_all(files: &[Vec<Head>]) -> Vec<Head> {
    let Some((first, others)) = files.split_first() else { return Vec::new() };
    let least = |head: &Head| {
        let of_chain = |heads: &Vec<Head>| heads.iter().find(|other| other.chain == head.chain).copied();
        others
            .iter()
            .map(of_chain)
            .try_fold(*head, |least, other| other.map(|other| if other.seq < least.seq { other } else { least }))
    };
    first.iter().filter_map(least).collect()
}

/// Begins a chain in sinks that were opened.
pub(super) fn begin(
    settings: &Settings,
    ports: &AuditPorts,
    keys: &AuditKeys,
    sinks: Vec<Box<dyn Sink>>,
    after: &[Ended],
) -> Audit {
    let start = Start { at: ports.clock.now(), deployment: ports.deployment, version: ports.version, after };
    let (mut chain, line) = Chain::begin(ports.random.as_ref(), &start);
    let mut first = vec![line];
    // Signed at once: it vouches for where the last chains ended.
    first.extend(chain.checkpoint(&keys.signing, start.at, LineKind::Checkpoint));
    let (queue, metrics) = (Arc::new(Queue::default()), AuditMetrics::new());
    let writer = Writer {
        queue: Arc::clone(&queue),
        chain,
        key: Arc::clone(&keys.signing),
        sinks,
        clock: Arc::clone(&ports.clock),
        metrics: metrics.clone(),
        checkpoint_lines: u64::from(settings.checkpoint_records),
        checkpoint_every: settings.checkpoint_every(),
        checkpoint_due: None,
        patience: settings.wait_max(),
    };
    let shutdown = ports.shutdown.clone();
    ports.shutdown.spawn_vital("write audit records", async move { writer.run(first, shutdown).await });
    Audit::new(queue, keys.hash.clone(), metrics, settings.wait_max())
}

impl fmt::Debug for AuditPorts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuditPorts").finish_non_exhaustive()
    }
}
