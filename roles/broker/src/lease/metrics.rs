// SPDX-License-Identifier: Apache-2.0
//! What the lease engine counts.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cress_domain::ProviderName;
use cress_service::Shutdown;
use cress_service::metrics::prometheus_client::collector::Collector;
use cress_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use cress_service::metrics::prometheus_client::metrics::family::Family;
use cress_service::metrics::prometheus_client::metrics::gauge::ConstGauge;
use cress_service::metrics::prometheus_client::registry::{Registry, Unit};

use super::run::{after, stoppable};
use super::{GrantError, Granted, Leases, TargetCondition, TargetState};

/// How often the figures about targets are looked up.
const MEASURED_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

/// Provider and outcome.
type Labels = [(&'static str, Cow<'static, str>); 2];
type ProviderLabel = [(&'static str, String); 1];

/// The counters. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct LeaseMetrics {
    grants: Family<Labels, Counter>,
    revocations: Family<Labels, Counter>,
    maintenance_failed: Family<ProviderLabel, Counter>,
    figures: Arc<ArcSwap<Vec<Figures>>>,
}

/// What was found about a target last.
#[derive(Debug, Clone)]
struct Figures {
    provider: String,
    leases: f64,
    due: f64,
    oldest_due_seconds: f64,
    strays: f64,
    well: f64,
}

impl LeaseMetrics {
    pub(super) fn count_grant(&self, provider: &ProviderName, granted: &Result<Granted, GrantError>) {
        let outcome = match granted {
            Ok(Granted { replayed: true, .. }) => "again",
            Ok(_) => "granted",
            Err(error) => error.word(),
        };
        self.grants.get_or_create(&labels(provider, outcome)).inc();
    }

    pub(super) fn count_revocation(&self, provider: &ProviderName, outcome: &'static str) {
        self.revocations.get_or_create(&labels(provider, outcome)).inc();
    }

    pub(super) fn count_failed_maintenance(&self, provider: &ProviderName) {
        self.maintenance_failed.get_or_create(&[("provider", provider.to_string())]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("broker_grants", "Requests for a lease, by what came of them", self.grants.clone());
        registry.register("broker_revocations", "Attempts to end a credential", self.revocations.clone());
        registry.register(
            "broker_maintenance_failed",
            "Attempts at a target's upkeep that failed",
            self.maintenance_failed.clone(),
        );
        registry.register_collector(Box::new(Collected(Arc::clone(&self.figures))));
    }
}

fn labels(provider: &ProviderName, outcome: &'static str) -> Labels {
    [("provider", provider.to_string().into()), ("outcome", outcome.into())]
}

impl GrantError {
    /// As a label of metrics.
    const fn word(&self) -> &'static str {
        match self {
            Self::TooMany(_) => "too_many",
            Self::KeyReused => "key_reused",
            Self::InProgress { .. } => "in_progress",
            Self::Provider(_) => "provider",
            Self::Slow(_) => "slow",
            Self::Away { .. } => "away",
            Self::Revoked => "revoked",
            Self::Store(_) => "store",
            Self::Sealing(_) => "sealing",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }
}

impl Leases {
    /// Looks the figures up now and then: whoever asks for metrics must not make the store work.
    pub(super) async fn measure(self, shutdown: Shutdown) {
        while !shutdown.is_requested() {
            let pause = match self.targets().await {
                Ok(targets) => {
                    let now = self.0.clock.now();
                    let age = |target: &TargetState| {
                        target.oldest_due_at.map_or(0.0, |oldest| now.saturating_since(oldest).as_secs_f64())
                    };
                    let figures = targets.iter().map(|target| figures(target, age(target))).collect();
                    self.0.metrics.figures.store(Arc::new(figures));
                    MEASURED_EVERY
                }
                Err(error) => after(&error, "the figures about leases cannot be looked up"),
            };
            stoppable(&shutdown, pause).await;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn figures(target: &TargetState, oldest_due_seconds: f64) -> Figures {
    Figures {
        provider: target.provider.clone(),
        leases: target.leases as f64,
        due: target.due as f64,
        oldest_due_seconds,
        strays: target.strays as f64,
        well: f64::from(u8::from(target.condition == TargetCondition::Well)),
    }
}

#[derive(Debug)]
struct Collected(Arc<ArcSwap<Vec<Figures>>>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let all = self.0.load();
        let mut family = |name: &str, help: &str, unit: Option<&Unit>, value: &dyn Fn(&Figures) -> f64| {
            let gauge = ConstGauge::new(0.0_f64);
            let mut encoder = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
            for figures in all.iter() {
                let gauge = ConstGauge::new(value(figures));
                gauge.encode(encoder.encode_family(&[("provider", figures.provider.as_str())])?)?;
            }
            Ok::<(), std::fmt::Error>(())
        };
        family("broker_leases", "Leases that are not gone", None, &|one| one.leases)?;
        family("broker_revocations_due", "Revocations that are due", None, &|one| one.due)?;
        let oldest = "Age of the oldest revocation that is due";
        family("broker_revocation_due_oldest", oldest, Some(&Unit::Seconds), &|one| one.oldest_due_seconds)?;
        family("broker_accounts_stray", "Accounts without a lease at the last comparison", None, &|one| one.strays)?;
        family("broker_target_well", "Whether nothing is known to be wrong with a target", None, &|one| one.well)
    }
}
