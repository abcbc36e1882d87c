// SPDX-License-Identifier: Apache-2.0
//! The upward half of a node's stream: who it is at first, and then how its instances are.

use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{Hello, InstanceReports, NodeReport};
use cress_domain::MachineId;
use cress_store::control::ControlStore;
use tonic::{Status, Streaming};

use super::costs::{CostWriter, Costs};
use super::limits::{HELLO_TIMEOUT, NODE_CAPACITY_MAX, REPORTS_MAX};
use super::refusal::{invalid, store_failed, too_much};
use crate::fleet::{FeedWaker, FleetView, InstanceReport};
use crate::metrics::{Counters, StorePart};

const AGENT_VERSION_CHARACTERS_MAX: usize = 64;

pub(super) struct Upward {
    pub(super) machine: MachineId,
    pub(super) fleet: FleetView,
    pub(super) store: ControlStore,
    pub(super) waker: FeedWaker,
    pub(super) counters: Counters,
    pub(super) reports: Streaming<NodeReport>,
}

impl Upward {
    /// Runs until the node ends its half, or breaks the rules; then returns the status to end the stream with.
    pub(super) async fn run(mut self) -> Status {
        let costs = Costs::default();
        let writer = CostWriter {
            machine: self.machine,
            fleet: self.fleet.clone(),
            store: self.store.clone(),
            waker: self.waker.clone(),
            counters: self.counters.clone(),
        };
        let heard = tokio::select! {
            heard = self.listen(&costs) => heard,
            () = writer.run(&costs) => Ok(()),
        };
        match heard {
            Ok(()) => Status::ok("the node ended its half"),
            Err(status) => status,
        }
    }

    async fn listen(&mut self, costs: &Costs) -> Result<(), Status> {
        self.hello().await?;
        loop {
            match self.reports.message().await? {
                None => return Ok(()),
                Some(NodeReport { report: Some(Report::Instances(instances)) }) => self.note(&instances, costs)?,
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
            self.change_capacity(hello.capacity).await?;
        }
        Ok(())
    }

    async fn change_capacity(&self, capacity: u32) -> Result<(), Status> {
        if !self.fleet.may_announce(self.machine, capacity) {
            return Err(too_much("this node announced another capacity too often; try again in some seconds"));
        }
        self.store.set_capacity(self.machine, capacity).await.map_err(|error| {
            self.counters.store_failed(StorePart::reports);
            store_failed(&error)
        })?;
        self.waker.wake();
        Ok(())
    }

    fn note(&self, reports: &InstanceReports, costs: &Costs) -> Result<(), Status> {
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
        costs.add(self.fleet.note(self.machine, parsed));
        Ok(())
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
