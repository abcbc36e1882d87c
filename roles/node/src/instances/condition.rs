// SPDX-License-Identifier: Apache-2.0
//! How one instance is: told to control, to the metadata service, and to whoever watches the node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cress_api::imds::Status;
use cress_api::node_protocol::{self, InstanceReport};
use cress_domain::{InstanceId, MachineId, Name};
use tokio::sync::watch;

use super::reports::Reports;

/// Longest explanation that is passed on, in characters.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// Waiting for its place, its first token or its start.
    Creating,
    /// Its command runs, or is about to run again.
    Running,
    /// It is being ended.
    Stopping,
    /// Its command ended with 0 and its restart policy leaves it so.
    Succeeded,
    /// Its command failed and its restart policy leaves it so, or it cannot be run here.
    Failed,
}

/// One instance as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceSummary {
    /// Its id.
    pub instance_id: InstanceId,
    /// The node that runs it.
    pub machine_id: MachineId,
    /// The name of its container group.
    pub container_group: Name,
    /// Base URL of its metadata service, as the instance sees it; empty while it has none.
    pub imds: String,
    /// What it is doing.
    pub state: InstanceState,
    /// Whether its first token is there.
    pub token_ready: bool,
}

/// All instances of the node, in the order of their metadata services' addresses.
#[derive(Debug, Clone)]
pub(super) struct Summaries(Arc<watch::Sender<Vec<InstanceSummary>>>);

/// How an instance is. Each change is told at once.
#[derive(Debug)]
pub(super) struct Condition {
    id: InstanceId,
    machine_id: MachineId,
    container_group: Name,
    reports: Arc<Reports>,
    summaries: Summaries,
    facts: Mutex<Facts>,
}

/// What may change about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) state: InstanceState,
    pub(super) started: bool,
    pub(super) ready: bool,
    pub(super) restarts: u32,
    pub(super) deletion_cost: i32,
    pub(super) detail: String,
    pub(super) imds: Option<SocketAddr>,
    pub(super) token_ready: bool,
}

impl Facts {
    /// Before anything has happened.
    pub(super) const fn new(deletion_cost: i32) -> Self {
        Self {
            state: InstanceState::Creating,
            started: false,
            ready: false,
            restarts: 0,
            deletion_cost,
            detail: String::new(),
            imds: None,
            token_ready: false,
        }
    }

    /// Nothing runs; why not, for people.
    pub(super) fn rest(&mut self, state: InstanceState, detail: &str) {
        self.state = state;
        self.started = false;
        self.ready = false;
        self.detail = detail.chars().take(DETAIL_CHARACTERS_MAX).collect();
    }
}

impl Condition {
    pub(super) fn new(
        id: InstanceId,
        machine_id: MachineId,
        container_group: Name,
        (reports, summaries): (Arc<Reports>, Summaries),
        facts: Facts,
    ) -> Self {
        let condition = Self { id, machine_id, container_group, reports, summaries, facts: Mutex::new(facts.clone()) };
        condition.tell(&facts);
        condition
    }

    pub(super) fn facts(&self) -> Facts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn state(&self) -> InstanceState {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    pub(super) fn status(&self) -> Status {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        Status { ready: facts.ready, started: facts.started }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = facts.clone();
        change(&mut facts);
        // Told under the lock, so that the last one told is the last one true.
        if *facts != before {
            self.tell(&facts);
        }
    }

    /// The instance is gone.
    pub(super) fn forget(&self) {
        self.reports.remove(self.id);
        self.summaries.remove(self.id);
    }

    fn tell(&self, facts: &Facts) {
        self.reports.set(self.id, report(self.id, facts));
        self.summaries.set(InstanceSummary {
            instance_id: self.id,
            machine_id: self.machine_id,
            container_group: self.container_group.clone(),
            imds: facts.imds.map(base_url).unwrap_or_default(),
            state: facts.state,
            token_ready: facts.token_ready,
        });
    }
}

/// Where a metadata service is asked.
pub(super) fn base_url(address: SocketAddr) -> String {
    match address.port() {
        80 => format!("http://{}", address.ip()),
        _ => format!("http://{address}"),
    }
}

/// What control is told of an instance.
fn report(id: InstanceId, facts: &Facts) -> InstanceReport {
    let state = match facts.state {
        InstanceState::Creating => node_protocol::InstanceState::Creating,
        InstanceState::Running => node_protocol::InstanceState::Running,
        InstanceState::Stopping => node_protocol::InstanceState::Stopping,
        InstanceState::Succeeded => node_protocol::InstanceState::Succeeded,
        InstanceState::Failed => node_protocol::InstanceState::Failed,
    };
    InstanceReport {
        instance_id: id.to_string(),
        state: state.into(),
        started: facts.started,
        ready: facts.ready,
        restarts: facts.restarts,
        deletion_cost: facts.deletion_cost,
        detail: facts.detail.clone(),
    }
}

impl Summaries {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Vec<InstanceSummary>> {
        self.0.subscribe()
    }

    fn set(&self, summary: InstanceSummary) {
        self.0.send_if_modified(|all| {
            let place = all.iter_mut().find(|other| other.instance_id == summary.instance_id);
            if place.as_deref() == Some(&summary) {
                return false;
            }
            match place {
                Some(place) => *place = summary,
                None => all.push(summary),
            }
            // Ports have their digits' number first: 9999 before 10000.
            all.sort_by(|one, other| order(one).cmp(&order(other)));
            true
        });
    }

    fn remove(&self, id: InstanceId) {
        self.0.send_if_modified(|all| {
            let before = all.len();
            all.retain(|summary| summary.instance_id != id);
            all.len() != before
        });
    }
}

/// Those without an address come last.
fn order(summary: &InstanceSummary) -> (bool, usize, &str, InstanceId) {
    (summary.imds.is_empty(), summary.imds.len(), &summary.imds, summary.instance_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(number: u8, reports: &Arc<Reports>, summaries: &Summaries) -> Condition {
        let machine = MachineId::from_bytes([9; 16]);
        let told = (Arc::clone(reports), summaries.clone());
        Condition::new(InstanceId::from_bytes([number; 16]), machine, "worker".parse().unwrap(), told, Facts::new(0))
    }

    #[test]
    fn a_change_is_told_to_all_who_ask() {
        let (reports, summaries) = (Arc::new(Reports::default()), Summaries::new());
        let (one, two) = (condition(1, &reports, &summaries), condition(2, &reports, &summaries));
        reports.take_all();
        one.change(|facts| facts.imds = Some("127.0.0.1:10000".parse().unwrap()));
        two.change(|facts| {
            facts.imds = Some("127.0.0.1:9999".parse().unwrap());
            facts.state = InstanceState::Running;
            facts.started = true;
        });
        let told = reports.take_changed();
        assert_eq!(told.len(), 1, "an address is not control's business: {told:?}");
        assert_eq!((told[0].state(), told[0].started), (node_protocol::InstanceState::Running, true));
        let seen = summaries.subscribe();
        let urls: Vec<_> = seen.borrow().iter().map(|summary| summary.imds.clone()).collect();
        assert_eq!(urls, ["http://127.0.0.1:9999", "http://127.0.0.1:10000"]);
        assert_eq!(two.status(), Status { ready: false, started: true });

        two.change(|facts| facts.rest(InstanceState::Failed, &"x".repeat(1_000)));
        assert_eq!(two.facts().detail.len(), DETAIL_CHARACTERS_MAX);
        two.forget();
        assert_eq!((seen.borrow().len(), reports.take_all().len()), (1, 1));
    }
}
