// SPDX-License-Identifier: Apache-2.0
//! What the broker counts of requests, and how it stands with the issuers' keys. No metric names a tenant.

use std::borrow::Cow;
use std::sync::Arc;

use cress_domain::CredentialName;
use cress_service::metrics::prometheus_client::collector::Collector;
use cress_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use cress_service::metrics::prometheus_client::metrics::family::Family;
use cress_service::metrics::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use cress_service::metrics::prometheus_client::registry::{Registry, Unit};

use crate::broker::Broker;

/// The credential of a request for one that there is none of. A space is in no credential's name.
const UNKNOWN: &str = "no credential";

type Labels = [(&'static str, Cow<'static, str>); 2];

/// The counters. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct BrokerMetrics {
    issues: Family<Labels, Counter>,
    refusals: Family<[(&'static str, &'static str); 1], Counter>,
    leases: Family<[(&'static str, &'static str); 2], Counter>,
    reloads_failed: Counter,
    reloaded: Gauge,
}

impl BrokerMetrics {
    /// A credential was asked for.
    pub(crate) fn count_issue(&self, credential: Option<&CredentialName>, outcome: &'static str) {
        let name = credential.map_or(Cow::Borrowed(UNKNOWN), |name| Cow::Owned(name.as_str().to_owned()));
        self.issues.get_or_create(&[("credential", name), ("outcome", outcome.into())]).inc();
    }

    /// Someone was not heard.
    pub(crate) fn count_refusal(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// A lease was renewed or ended by its owner, or not.
    pub(crate) fn count_lease(&self, event: &'static str, outcome: &'static str) {
        self.leases.get_or_create(&[("event", event), ("outcome", outcome)]).inc();
    }

    pub(crate) fn count_reload(&self) {
        self.reloaded.inc();
    }

    pub(crate) fn count_failed_reload(&self) {
        self.reloads_failed.inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry, broker: &Arc<Broker>) {
        let Self { issues, refusals, leases, reloads_failed, reloaded } = self.clone();
        registry.register("broker_issues", "Requests for credentials, by what came of them", issues);
        registry.register("broker_refusals", "Requests whose sender was not heard, by reason", refusals);
        registry.register("broker_lease_requests", "Renewals and ends that owners asked for", leases);
        registry.register("broker_reloads_failed", "New configurations that were not taken", reloads_failed);
        registry.register("broker_configuration_generation", "How often a new configuration was taken", reloaded);
        registry.register_collector(Box::new(Keys(Arc::clone(broker))));
    }
}

/// How it stands with each issuer's keys, asked when someone looks.
#[derive(Debug)]
struct Keys(Arc<Broker>);

impl Collector for Keys {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let statuses = self.0.running().callers.status();
        let mut family = |name: &str, help: &str, unit: Option<&Unit>, values: Vec<Option<f64>>| {
            let gauge = ConstGauge::new(0.0_f64);
            let mut encoder = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
            for (status, value) in statuses.iter().zip(values) {
                let Some(value) = value else { continue };
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_family(&[("issuer", status.issuer.as_str())])?)?;
            }
            Ok::<(), std::fmt::Error>(())
        };
        let age = |one: &cress_verify::SourceStatus| one.key_ids.is_some().then_some(one.age.as_secs_f64());
        let usable =
            |one: &cress_verify::SourceStatus| Some(f64::from(u8::from(one.key_ids.is_some() && !one.too_old)));
        let ages = statuses.iter().map(age).collect();
        family("broker_keys_age", "Time since an issuer's keys were last confirmed", Some(&Unit::Seconds), ages)?;
        let usables = statuses.iter().map(usable).collect();
        family("broker_keys_usable", "Whether an issuer's keys are there and fresh enough", None, usables)
    }
}
