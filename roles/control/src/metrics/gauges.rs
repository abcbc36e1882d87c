// SPDX-License-Identifier: Apache-2.0
//! What is looked up when the metrics are read: the fleet, the key ring, and how fresh both are.

use std::fmt;
use std::sync::Arc;

use cress_api::admin::InstanceState;
use cress_domain::Clock;
use cress_keyring::KeyState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::KeysSeen;
use crate::ca::CertificateAuthority;
use crate::fleet::FleetView;
use crate::placement::PendingReplicas;

/// Everything that is looked up.
pub(crate) struct Gauges {
    /// What is placed where, and what nodes say of it.
    pub(crate) fleet: FleetView,
    /// The keys that sign tokens.
    pub(crate) keys: KeysSeen,
    /// The certificate authorities that are trusted.
    pub(crate) ca: CertificateAuthority,
    /// Replicas that wait for a node with room.
    pub(crate) pending: PendingReplicas,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
}

const KEY_STATES: [(&str, KeyState); 5] = [
    ("next", KeyState::Next),
    ("active", KeyState::Active),
    ("retired", KeyState::Retired),
    ("gone", KeyState::Gone),
    ("revoked", KeyState::Revoked),
];

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.fleet(&mut encoder)?;
        self.keys(&mut encoder)?;
        self.authorities(&mut encoder)
    }
}

impl Gauges {
    fn fleet(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let counts = self.fleet.counts();
        gauge(encoder, "control_nodes", "Nodes of the fleet", number(counts.nodes))?;
        gauge(encoder, "control_nodes_connected", "Nodes with an open stream", number(counts.connected))?;
        let states = self.fleet.instance_states();
        let states = states.iter().map(|(state, count)| (state_name(*state), number(*count)));
        family(encoder, "control_instances", "Placed instances, by what their nodes say", ("state", states))?;
        let help = "Replicas that wait for a node with room";
        gauge(encoder, "control_replicas_pending", help, number(self.pending.count()))?;
        match self.fleet.age() {
            Some(age) => {
                let help = "Time since the store confirmed the view of the fleet";
                gauge_f64(encoder, "control_fleet_age_seconds", help, age.as_secs_f64())
            }
            None => Ok(()),
        }
    }

    fn authorities(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Time since the certificate authorities were read from the store";
        gauge_f64(encoder, "control_authorities_age_seconds", help, self.ca.list_age().as_secs_f64())?;
        let help = "Stored certificate authorities that cannot be used and are left out";
        gauge(encoder, "control_authorities_unusable", help, number(self.ca.unusable()))
    }

    fn keys(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let now = self.clock.now();
        let keys = self.keys.keys();
        let count = |state| keys.iter().filter(|key| key.state == state).count();
        let states = KEY_STATES.iter().map(|(name, state)| (*name, number(count(*state))));
        family(encoder, "control_keys", "Signing keys, by state", ("state", states))?;
        let switch = keys.iter().filter(|key| key.state == KeyState::Active).map(|key| key.signs_until).max();
        match switch {
            Some(until) => {
                let help = "Time until the next key signs";
                let left = until.saturating_since(now).as_secs_f64();
                gauge_f64(encoder, "control_key_switch_in_seconds", help, left)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Gauges(..)")
    }
}

const fn state_name(state: Option<InstanceState>) -> &'static str {
    match state {
        Some(InstanceState::Creating) => "creating",
        Some(InstanceState::Running) => "running",
        Some(InstanceState::Stopping) => "stopping",
        Some(InstanceState::Succeeded) => "succeeded",
        Some(InstanceState::Failed) => "failed",
        None | Some(_) => "unknown",
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: i64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn gauge_f64(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn family<'a>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    (label, values): (&str, impl Iterator<Item = (&'a str, i64)>),
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, count) in values {
        ConstGauge::new(count).encode(metric.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
