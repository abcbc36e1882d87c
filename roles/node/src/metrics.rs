// SPDX-License-Identifier: Apache-2.0
//! What the node counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cress_domain::InstanceId;
use cress_service::metrics::prometheus_client::collector::Collector;
use cress_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use cress_service::metrics::prometheus_client::metrics::counter::{ConstCounter, Counter};
use cress_service::metrics::prometheus_client::metrics::family::Family;
use cress_service::metrics::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use cress_service::metrics::prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::imds::{Counts, Statistics};
use crate::instances::{InstanceState, InstanceSummary};

/// The node's counters, but for those of the token cache. Clones are the same counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeMetrics {
    connected: Gauge,
    sessions: Counter,
    renewals: Family<[(&'static str, &'static str); 1], Counter>,
    restarts: Counter,
    starts_failed: Counter,
    imds: Arc<Mutex<ImdsCounts>>,
}

/// The counters of all metadata services: those that serve, and the sum of those that do not any more.
#[derive(Debug, Default)]
struct ImdsCounts {
    serving: BTreeMap<InstanceId, Arc<Statistics>>,
    closed: Counts,
}

impl NodeMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("node_control_connected", "1 while there is a link to control", self.connected.clone());
        registry.register("node_control_sessions", "Links to control that were made", self.sessions.clone());
        registry.register("node_certificate_renewals", "Renewals of the node's certificate", self.renewals.clone());
        registry.register("node_instance_restarts", "Runs of instances after their first", self.restarts.clone());
        registry.register("node_instance_starts_failed", "Runs that could not begin", self.starts_failed.clone());
    }

    /// Registers what is looked up when someone asks.
    pub(crate) fn register_instances(
        &self,
        registry: &mut Registry,
        instances: watch::Receiver<Vec<InstanceSummary>>,
        certificate_until: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        let (imds, certificate_until) = (Arc::clone(&self.imds), Box::new(certificate_until));
        registry.register_collector(Box::new(Inventory { instances, imds, certificate_until }));
    }

    pub(crate) fn set_connected(&self, is_connected: bool) {
        self.connected.set(is_connected.into());
        if is_connected {
            self.sessions.inc();
        }
    }

    pub(crate) fn certificate_renewed(&self) {
        self.renewals.get_or_create(&[("result", "done")]).inc();
    }

    /// By the node's key, after its certificate was no good any more.
    pub(crate) fn certificate_recovered(&self) {
        self.renewals.get_or_create(&[("result", "recovered")]).inc();
    }

    pub(crate) fn certificate_renewal_failed(&self) {
        self.renewals.get_or_create(&[("result", "failed")]).inc();
    }

    pub(crate) fn restarted(&self) {
        self.restarts.inc();
    }

    pub(crate) fn start_failed(&self) {
        self.starts_failed.inc();
    }

    pub(crate) fn imds_opened(&self, id: InstanceId, statistics: Arc<Statistics>) {
        self.imds.lock().unwrap_or_else(PoisonError::into_inner).serving.insert(id, statistics);
    }

    pub(crate) fn imds_closed(&self, id: InstanceId) {
        let mut imds = self.imds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statistics) = imds.serving.remove(&id) {
            add(&mut imds.closed, statistics.counts());
        }
    }
}

struct Inventory {
    instances: watch::Receiver<Vec<InstanceSummary>>,
    imds: Arc<Mutex<ImdsCounts>>,
    certificate_until: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Collector for Inventory {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_states(&mut encoder)?;
        let help = "End of the node's certificate, in Unix time";
        let gauge = ConstGauge::new((self.certificate_until)());
        gauge.encode(encoder.encode_descriptor(
            "node_certificate_not_after_seconds",
            help,
            None,
            gauge.metric_type(),
        )?)?;
        let counts = self.imds.lock().unwrap_or_else(PoisonError::into_inner).total();
        for (name, help, count) in [
            ("node_imds_answered", "Requests to metadata services answered 2xx", counts.answered),
            ("node_imds_refused", "Requests to metadata services answered 4xx, but for 429", counts.refused),
            ("node_imds_rate_limited", "Requests to metadata services answered 429", counts.rate_limited),
            ("node_imds_unavailable", "Requests to metadata services answered 5xx", counts.unavailable),
            ("node_imds_connections", "Connections to metadata services", counts.connections),
            ("node_imds_connections_refused", "Connections beyond the limit", counts.connections_refused),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

impl Inventory {
    fn encode_states(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let instances = self.instances.borrow().clone();
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut states = encoder.encode_descriptor("node_instances", "Instances by state", None, kind)?;
        for (state, name) in [
            (InstanceState::Creating, "creating"),
            (InstanceState::Running, "running"),
            (InstanceState::Stopping, "stopping"),
            (InstanceState::Succeeded, "succeeded"),
            (InstanceState::Failed, "failed"),
        ] {
            let count = instances.iter().filter(|instance| instance.state == state).count();
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(states.encode_family(&[("state", name)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Inventory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inventory(..)")
    }
}

impl ImdsCounts {
    fn total(&self) -> Counts {
        let mut total = self.closed;
        self.serving.values().for_each(|statistics| add(&mut total, statistics.counts()));
        total
    }
}

fn add(total: &mut Counts, more: Counts) {
    total.answered += more.answered;
    total.refused += more.refused;
    total.rate_limited += more.rate_limited;
    total.unavailable += more.unavailable;
    total.connections += more.connections;
    total.connections_refused += more.connections_refused;
}
