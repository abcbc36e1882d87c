// SPDX-License-Identifier: Apache-2.0
//! What the authorization service counts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_service::metrics::prometheus_client::collector::Collector;
use cress_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use cress_service::metrics::prometheus_client::metrics::family::Family;
use cress_service::metrics::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use cress_service::metrics::prometheus_client::metrics::histogram::Histogram;
use cress_service::metrics::prometheus_client::registry::{Registry, Unit};

use crate::judge::{Decision, Judge};

/// From 10 microseconds, a token seen before, to 2 seconds, a key set that had to be waited for.
const SECONDS: [f64; 12] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.0];
/// The rule of a request that no rule fitted. No rule may be called so: a space is in no rule's name.
const NO_RULE: &str = "no rule";

/// Rule, outcome and reason.
type Labels = [(&'static str, Cow<'static, str>); 3];

/// The counters. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct AuthzMetrics {
    decisions: Family<Labels, Counter>,
    /// The labels of `decisions`, which does not tell them.
    counted: Arc<Mutex<HashSet<Labels>>>,
    seconds: Histogram,
    reloads_failed: Counter,
    reloaded: Gauge,
}

impl AuthzMetrics {
    pub(crate) fn new() -> Self {
        Self {
            decisions: Family::default(),
            counted: Arc::default(),
            seconds: Histogram::new(SECONDS),
            reloads_failed: Counter::default(),
            reloaded: Gauge::default(),
        }
    }

    pub(crate) fn count(&self, decision: &Decision, took: Duration) {
        match (&decision.rule, decision.refusal()) {
            (Some(rule), None) => rule.permitted.get_or_init(|| self.counter(labels(decision))).inc(),
            _ => self.counter(labels(decision)).inc(),
        };
        self.seconds.observe(took.as_secs_f64());
    }

    fn counter(&self, labels: Labels) -> Counter {
        if let Some(counter) = self.decisions.get(&labels) {
            return counter.clone();
        }
        let counter = self.decisions.get_or_create(&labels).clone();
        self.counted().insert(labels);
        counter
    }

    /// Forgets the counters of rules that are no more: names change with each configuration, and would pile up.
    pub(crate) fn keep_rules(&self, is_there: impl Fn(&str) -> bool) {
        self.counted().retain(|labels| {
            let [(_, rule), ..] = labels;
            let stays = rule == NO_RULE || is_there(rule);
            if !stays {
                self.decisions.remove(labels);
            }
            stays
        });
    }

    fn counted(&self) -> MutexGuard<'_, HashSet<Labels>> {
        // Nothing panics while it is held.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_reload(&self) {
        self.reloaded.inc();
    }

    pub(crate) fn count_failed_reload(&self) {
        self.reloads_failed.inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry, judge: Arc<ArcSwap<Judge>>) {
        registry.register(
            "authz_decisions",
            "Requests, by what was decided, by which rule and why",
            self.decisions.clone(),
        );
        registry.register_with_unit(
            "authz_decision",
            "Time from a request's head to its answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "authz_reloads_failed",
            "New configurations that were not taken",
            self.reloads_failed.clone(),
        );
        registry.register(
            "authz_configuration_generation",
            "How often a new configuration was taken",
            self.reloaded.clone(),
        );
        registry.register_collector(Box::new(Keys(judge)));
    }
}

fn labels(decision: &Decision) -> Labels {
    let rule = decision.rule.as_ref().map_or(Cow::Borrowed(NO_RULE), |rule| Cow::Owned(rule.name.clone()));
    let reason = decision.refusal().map_or("none", |refusal| refusal.code);
    [("rule", rule), ("outcome", decision.verdict.word().into()), ("reason", reason.into())]
}

/// How it stands with each issuer's keys, asked when someone looks.
#[derive(Debug)]
struct Keys(Arc<ArcSwap<Judge>>);

impl Collector for Keys {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let statuses = self.0.load().status();
        let mut family = |name: &str, help: &str, unit: Option<&Unit>, value: &dyn Fn(usize) -> Option<f64>| {
            let gauge = ConstGauge::new(0.0_f64);
            let mut encoder = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
            for (index, status) in statuses.iter().enumerate() {
                if let Some(value) = value(index) {
                    let gauge = ConstGauge::new(value);
                    gauge.encode(encoder.encode_family(&[("issuer", status.issuer.as_str())])?)?;
                }
            }
            Ok::<(), std::fmt::Error>(())
        };
        let status = |index: usize| statuses.get(index);
        let age = |index| status(index).filter(|one| one.key_ids.is_some()).map(|one| one.age.as_secs_f64());
        family("authz_keys_age", "Time since an issuer's keys were last confirmed", Some(&Unit::Seconds), &age)?;
        let usable = |index| status(index).map(|one| f64::from(u8::from(one.key_ids.is_some() && !one.too_old)));
        family("authz_keys_usable", "Whether an issuer's keys are there and fresh enough", None, &usable)
    }
}
