// SPDX-License-Identifier: Apache-2.0
//! The tasks of the engine: one that writes, one that forgets what is over, one that tells that a broker is alive, and one for each
//! target, which is started and stopped as the configuration is replaced.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cress_domain::ProviderName;
use cress_service::Shutdown;
use tokio::time::sleep;

use super::{Leases, sweep};

/// Leases that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 2_000;
/// How long to wait after the store has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Leases {
    /// Runs the engine until `shutdown` asks to stop: then nothing new begins, and it returns when all that has begun is at its end.
    pub async fn run(self, shutdown: Shutdown) {
        shutdown.spawn_vital("lease writer", self.clone().write(shutdown.clone()));
        shutdown.spawn_vital("lease lapse", self.clone().lapse(shutdown.clone()));
        shutdown.spawn_vital("broker beat", self.clone().beat(shutdown.clone()));
        shutdown.spawn_vital("lease figures", self.clone().measure(shutdown.clone()));
        self.supervise(&shutdown).await;
    }

    /// Ends when nothing that has begun is left.
    async fn write(self, shutdown: Shutdown) {
        let shared = &self.0;
        let stop = async {
            shutdown.requested().await;
            shared.begun.close();
            shared.begun.wait().await;
        };
        shared.queue.write(&shared.store, &*shared.clock, shared.settings.batch_max, stop).await;
    }

    async fn lapse(self, shutdown: Shutdown) {
        let shared = &self.0;
        while !shutdown.is_requested() {
            let now = shared.clock.now();
            let pause = match shared.store.is_anything_over(now).await {
                Ok(false) => shared.settings.poll,
                Ok(true) => match shared.store.lapse(now, FORGOTTEN_AT_ONCE).await {
                    // There may be more. Others get their turn between.
                    Ok(forgotten) if forgotten >= u64::from(FORGOTTEN_AT_ONCE) => Duration::ZERO,
                    Ok(_) => shared.settings.poll,
                    Err(error) => after(&error, "leases that are over are not forgotten yet"),
                },
                Err(error) => after(&error, "leases that are over are not forgotten yet"),
            };
            stoppable(&shutdown, pause).await;
        }
    }

    /// If the number of beats goes back, so did the store: somebody restored a backup under a running broker.
    async fn beat(self, shutdown: Shutdown) {
        let shared = &self.0;
        let mut last = 0;
        while !shutdown.is_requested() {
            let pause = match shared.store.beat(shared.clock.now(), shared.settings.gap_min).await {
                Ok(beat) => {
                    if beat.number <= last {
                        tracing::error!(
                            "the store has gone back in time; no account without a lease is removed before the operator says so"
                        );
                        shared.went_back.store(true, Ordering::Relaxed);
                    }
                    last = beat.number;
                    shared.settings.beat_every
                }
                Err(error) => after(&error, "the store cannot be told that a broker is alive"),
            };
            stoppable(&shutdown, pause).await;
        }
    }

    /// One task for each target that is configured.
    async fn supervise(self, shutdown: &Shutdown) {
        let mut replaced = self.0.replaced.subscribe();
        let mut workers: BTreeMap<ProviderName, Shutdown> = BTreeMap::new();
        loop {
            let targets = self.0.targets.load_full();
            workers.retain(|name, worker| {
                let stays = targets.providers.contains_key(name);
                if !stays {
                    worker.request();
                }
                stays
            });
            for name in targets.providers.keys() {
                workers.entry(name.clone()).or_insert_with(|| {
                    let stop = shutdown.child();
                    stop.spawn("lease target", sweep::run(self.0.clone(), name.clone(), stop.clone()));
                    stop
                });
            }
            tokio::select! {
                changed = replaced.changed() => if changed.is_err() { return },
                () = shutdown.requested() => return,
            }
        }
    }
}

/// Waits, but not longer than until the end.
pub(super) async fn stoppable(shutdown: &Shutdown, pause: Duration) {
    tokio::select! {
        () = sleep(pause) => {}
        () = shutdown.requested() => {}
    }
}

/// Says that the store failed, and how long to wait.
pub(super) fn after(error: &cress_store::StoreError, what: &'static str) -> Duration {
    tracing::warn!(%error, "{what}");
    STORE_PAUSE
}
