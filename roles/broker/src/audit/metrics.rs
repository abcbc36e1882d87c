// SPDX-License-Identifier: Apache-2.0
//! What is counted of records.

use std::sync::Arc;
use std::time::Duration;

use cress_service::metrics::prometheus_client::collector::Collector;
use cress_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use cress_service::metrics::prometheus_client::metrics::gauge::ConstGauge;
use cress_service::metrics::prometheus_client::metrics::histogram::Histogram;
use cress_service::metrics::prometheus_client::registry::{Registry, Unit};

use super::queue::Queue;

/// From a file on a fast disk to a sink that is refused.
const SECONDS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.025, 0.1, 0.5, 2.0];

/// The counters. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct AuditMetrics {
    pub(super) written: Counter,
    pub(super) refused: Counter,
    pub(super) lost: Counter,
    seconds: Histogram,
}

impl AuditMetrics {
    pub(super) fn new() -> Self {
        Self {
            written: Counter::default(),
            refused: Counter::default(),
            lost: Counter::default(),
            seconds: Histogram::new(SECONDS),
        }
    }

    pub(super) fn observe(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry, queue: Arc<Queue>) {
        registry.register("broker_audit_lines", "Lines of audit records that are durable", self.written.clone());
        registry.register(
            "broker_audit_refused",
            "Records that were not durable in time, so that nothing was given out",
            self.refused.clone(),
        );
        registry.register(
            "broker_audit_lost",
            "Records of revocations that found the backlog full; the records say how many",
            self.lost.clone(),
        );
        registry.register_with_unit(
            "broker_audit_batch",
            "Time to make some records durable in every sink",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register_collector(Box::new(Waiting(queue)));
    }
}

/// What waits now.
#[derive(Debug)]
struct Waiting(Arc<Queue>);

impl Collector for Waiting {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauges = [
            ("broker_audit_backlog", "Records that wait to be written", self.0.waiting()),
            ("broker_audit_failing", "Whether a sink cannot be written: 0 or 1", usize::from(self.0.is_failing())),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
