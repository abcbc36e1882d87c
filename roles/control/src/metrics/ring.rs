// SPDX-License-Identifier: Apache-2.0
//! The key ring as the metrics show it. The ring lists its keys from the store, which whoever reads metrics must not load: so they
//! are listed here now and then, and whenever the ring changes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_keyring::{KeyRing, KeySummary};

use super::{Counters, StorePart};

/// How often the keys are listed: their states change with time alone.
const LIST_PERIOD: Duration = Duration::from_secs(30);

/// The keys as they were last listed. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeysSeen(Arc<ArcSwap<Vec<KeySummary>>>);

impl KeysSeen {
    /// The keys, oldest first.
    pub(super) fn keys(&self) -> Arc<Vec<KeySummary>> {
        self.0.load_full()
    }

    /// Lists them until `cancel` resolves.
    pub(crate) async fn follow(self, ring: KeyRing, counters: Counters, cancel: impl Future<Output = ()> + Send) {
        let mut changes = ring.subscribe();
        let follow = async {
            loop {
                match ring.list().await {
                    Ok(keys) => self.0.store(Arc::new(keys)),
                    // The ring itself says why, and does something about it.
                    Err(_) => counters.store_failed(StorePart::keyring),
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    () = tokio::time::sleep(LIST_PERIOD) => {}
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = cancel => {}
        }
    }
}
