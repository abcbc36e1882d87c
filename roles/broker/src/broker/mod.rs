// SPDX-License-Identifier: Apache-2.0
//! The broker at work: one configuration at a time, and what outlives its changes. Everything that is given out goes through here, over
//! whichever protocol it is asked for.

mod failure;
mod issue;
mod leases;
mod records;
mod running;

use std::sync::Arc;

use arc_swap::ArcSwap;
use cress_domain::Clock;
use cress_provider::Ports as ProviderPorts;
use cress_service::Shutdown;

pub(crate) use failure::Failure;
pub(crate) use issue::{Asked, Given};
pub(crate) use leases::{shown, status};
pub(crate) use running::{Running, warnings};

use crate::audit::Audit;
use crate::caller::{Buckets, Caller, CallersParts, Refused};
use crate::decision::ProviderBuilder;
use crate::lease::Leases;
use crate::metrics::BrokerMetrics;
use crate::secrets::Secrets;
use crate::signer::Signer;
use records::Strangers;

/// The broker. One for all connections.
pub(crate) struct Broker {
    running: ArcSwap<Running>,
    pub(crate) parts: BrokerParts,
    strangers: Strangers,
}

/// What outlives a change of the configuration.
pub(crate) struct BrokerParts {
    /// Where it is reached, without a slash at the end: its issuer too.
    pub(crate) url: String,
    pub(crate) leases: Leases,
    pub(crate) audit: Audit,
    pub(crate) signer: Signer,
    pub(crate) secrets: Secrets,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) build: ProviderBuilder,
    pub(crate) providers: ProviderPorts,
    pub(crate) metrics: BrokerMetrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shutdown: Shutdown,
}

impl Broker {
    pub(crate) fn new(running: Running, parts: BrokerParts) -> Self {
        Self { running: ArcSwap::from_pointee(running), parts, strangers: Strangers::new() }
    }

    /// The configuration at work. A request keeps the one that it began with.
    pub(crate) fn running(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Takes another configuration for all requests from now on.
    pub(crate) fn replace(&self, running: Running) {
        self.parts.leases.reload(running.targets());
        self.running.store(Arc::new(running));
        self.parts.metrics.count_reload();
    }

    /// Who shows this token, if he may ask now.
    pub(crate) async fn identify(&self, running: &Running, token: &str) -> Result<Arc<Caller>, Refused> {
        let identified = running.callers.identify(token).await;
        if let Err(refused) = &identified {
            self.parts.metrics.count_refusal(refused.refusal.code);
            self.note_stranger(running, token, refused);
        }
        identified
    }
}

impl BrokerParts {
    pub(crate) fn callers(&self) -> CallersParts {
        CallersParts { buckets: Arc::clone(&self.buckets), audit: self.audit.clone(), clock: Arc::clone(&self.clock) }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Broker").field("url", &self.parts.url).finish_non_exhaustive()
    }
}
