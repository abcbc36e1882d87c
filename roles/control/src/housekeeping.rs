// SPDX-License-Identifier: Apache-2.0
//! Forgets what nobody needs any more: tombstones and join tokens of long ago.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::Clock;
use cress_store::control::ControlStore;

/// How often.
const PERIOD: Duration = Duration::from_secs(300);

/// Runs until `cancel` resolves.
pub(crate) async fn run(store: ControlStore, clock: Arc<dyn Clock>, cancel: impl Future<Output = ()> + Send) {
    let forget = async {
        loop {
            match store.prune(clock.now()).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "forgot what is over"),
                // What is kept for longer harms nobody; the next round tries again.
                Err(error) => tracing::warn!(%error, "what is over cannot be forgotten"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    };
    tokio::select! {
        () = forget => {}
        () = cancel => {}
    }
}
