// SPDX-License-Identifier: Apache-2.0
//! What a target needs now and then beside revocations: to be told to write down its accounts, and to be compared with the leases.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::ProviderName;
use cress_provider::Provider;
use cress_service::Shutdown;

use super::Shared;
use super::sweep::keeps_accounts;

/// How long a target gets for its own upkeep.
const MAINTENANCE_TIMEOUT: Duration = Duration::from_secs(60);

/// When it was done last, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    maintained: Option<Duration>,
    compared: Option<Duration>,
}

impl Upkeep {
    /// Does what is due. Nothing is due at a target where nothing is left.
    pub(super) async fn look_after(
        &mut self,
        shared: &Shared,
        provider: &ProviderName,
        target: &Arc<dyn Provider>,
        shutdown: &Shutdown,
    ) {
        if !keeps_accounts(target) || shared.health.of(provider).is_some() {
            return;
        }
        let work = async {
            if take_turn(&mut self.maintained, shared.clock.monotonic(), shared.settings.maintain_every) {
                maintain(shared, provider, target).await;
            }
            // Other replicas compare too: the store says whose turn it is.
            let look = shared.settings.poll.max(shared.settings.compare_every / 60);
            if take_turn(&mut self.compared, shared.clock.monotonic(), look) {
                shared.compare(provider, target).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = shutdown.requested() => {}
        }
    }
}

fn take_turn(last: &mut Option<Duration>, now: Duration, every: Duration) -> bool {
    let due = last.is_none_or(|last| now.saturating_sub(last) >= every);
    if due {
        *last = Some(now);
    }
    due
}

async fn maintain(shared: &Shared, provider: &ProviderName, target: &Arc<dyn Provider>) {
    match tokio::time::timeout(MAINTENANCE_TIMEOUT, target.maintain()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            shared.metrics.count_failed_maintenance(provider);
            tracing::warn!(%provider, %error, "a target's upkeep failed; it is tried again");
        }
        Err(_) => {
            shared.metrics.count_failed_maintenance(provider);
            tracing::warn!(%provider, "a target's upkeep took too long; it is tried again");
        }
    }
}
