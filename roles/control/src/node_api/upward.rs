// SPDX-License-Identifier: Apache-2.0
//! The upward half of a node's stream: who it is at first, and then how its instances are.

use std::collections::HashMap;
use std::time::Duration;

use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{Hello, InstanceReports, NodeReport};
use cress_domain::{InstanceId, MachineId};
use cress_store::StoreErrorKind;
use cress_store::control::ControlStore;
use tonic::{Status, Streaming};

use super::limits::{HELLO_TIMEOUT, NODE_CAPACITY_MAX, REPORTS_MAX};
use super::refusal::{invalid, store_failed, too_much};
use crate::fleet::{FeedWaker, FleetView, InstanceReport};

/// The pause after each round of writes, so that no node makes the store busy with deletion costs.
const WRITE_PAUSE: Duration = Duration::from_millis(50);
/// When a deletion cost is tried again that the store could not take.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const AGENT_VERSION_CHARACTERS_MAX: usize = 64;

pub(super) struct Upward {
    pub(super) machine: MachineId,
    pub(super) fleet: FleetView,
    pub(super) store: ControlStore,
    pub(super) waker: FeedWaker,
    pub(super) reports: Streaming<NodeReport>,
    /// Deletion costs that the store does not know yet; never more than the node has instances.
    pub(super) costs: HashMap<InstanceId, i32>,
}

impl Upward {
    /// Runs until the node ends its half, or breaks the rules; then returns the status to end the stream with.
    pub(super) async fn run(mut self) -> Status {
        match self.listen().await {
            Ok(()) => Status::ok("the node ended its half"),
            Err(status) => status,
        }
    }

    async fn listen(&mut self) -> Result<(), Status> {
        self.hello().await?;
        loop {
            let report = tokio::select! {
                report = self.reports.message() => report?,
                () = tokio::time::sleep(RETRY_PAUSE), if !self.costs.is_empty() => {
                    self.persist().await;
                    continue;
                }
            };
            match report {
                None => return Ok(()),
                Some(NodeReport { report: Some(Report::Instances(instances)) }) => self.note(&instances).await?,
                Some(NodeReport { report: Some(Report::Hello(_)) }) => {
                    return Err(invalid("expected one hello, as the first message of the stream, got another"));
                }
                // Of a newer agent.
                Some(NodeReport { report: None }) => {}
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Status> {
        let first = tokio::time::timeout(HELLO_TIMEOUT, self.reports.message()).await;
        let first =
            first.map_err(|_| invalid("expected a hello as the first message of the stream, got none in time"))?;
        let Some(NodeReport { report: Some(Report::Hello(hello)) }) = first? else {
            return Err(invalid("expected a hello as the first message of the stream, got something else"));
        };
        check_capacity(hello.capacity)?;
        let version = printable(&hello);
        tracing::info!(machine = %self.machine, version, capacity = hello.capacity, "a node connected");
        if self.fleet.node(self.machine).is_none_or(|node| node.capacity != hello.capacity) {
            self.store.set_capacity(self.machine, hello.capacity).await.map_err(|error| store_failed(&error))?;
            self.waker.wake();
        }
        Ok(())
    }

    async fn note(&mut self, reports: &InstanceReports) -> Result<(), Status> {
        let reports = &reports.instances;
        if reports.len() > REPORTS_MAX {
            return Err(too_much(format!(
                "expected at most {REPORTS_MAX} instances in one report, got {}",
                reports.len()
            )));
        }
        let parsed = reports.iter().filter_map(|report| {
            let instance = report.instance_id.parse().ok()?;
            Some((instance, InstanceReport::from_wire(report), report.deletion_cost))
        });
        let costs = self.fleet.note(self.machine, parsed);
        if !costs.is_empty() {
            self.costs.extend(costs);
            self.persist().await;
            tokio::time::sleep(WRITE_PAUSE).await;
        }
        Ok(())
    }

    /// What cannot be written now stays for later.
    async fn persist(&mut self) {
        let mut written = false;
        for (instance, cost) in std::mem::take(&mut self.costs) {
            match self.store.set_deletion_cost(instance, self.machine, cost).await {
                Ok(_) => written = true,
                // It has just ended.
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => {
                    tracing::debug!(%error, %instance, "a deletion cost is not stored; trying again");
                    self.costs.insert(instance, cost);
                }
            }
        }
        if written {
            self.waker.wake();
        }
    }
}

/// Refuses a capacity beyond its bounds.
pub(crate) fn check_capacity(capacity: u32) -> Result<(), Status> {
    if capacity <= NODE_CAPACITY_MAX {
        Ok(())
    } else {
        Err(invalid(format!("expected a capacity of at most {NODE_CAPACITY_MAX} instances, got {capacity}")))
    }
}

fn printable(hello: &Hello) -> String {
    let characters = hello.agent_version.chars().filter(|character| !character.is_control());
    characters.take(AGENT_VERSION_CHARACTERS_MAX).collect()
}
