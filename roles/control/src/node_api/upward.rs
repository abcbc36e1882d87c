// SPDX-License-Identifier: Apache-2.0
//! The upward half of a node's stream: who it is at first, and then how its instances are.

use std::sync::Arc;
use std::time::Duration;

use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{Hello, InstanceReports, NodeReport};
use cress_domain::{Clock, MachineId};
use cress_store::control::{BootId, BootNews, ControlStore};
use tonic::{Status, Streaming};

use super::costs::{CostWriter, Costs};
use super::limits::{HELLO_TIMEOUT, NODE_CAPACITY_MAX, REPORTS_MAX};
use super::refusal::{invalid, store_failed, too_much};
use crate::fleet::{Deed, FeedWaker, FleetView, InstanceReport};
use crate::metrics::{Counters, IgnoredReport, StorePart};

/// When it is looked again whether a node may report.
const REPORT_LOOK_PERIOD: Duration = Duration::from_millis(100);
const AGENT_VERSION_CHARACTERS_MAX: usize = 64;

pub(super) struct Upward {
    pub(super) machine: MachineId,
    pub(super) fleet: FleetView,
    pub(super) store: ControlStore,
    pub(super) waker: FeedWaker,
    pub(super) counters: Counters,
    pub(super) clock: Arc<dyn Clock>,
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
                Some(NodeReport { report: Some(Report::Instances(instances)) }) => {
                    self.wait_for_turn().await;
                    self.note(&instances, costs)?;
                }
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
        if !self.fleet.has_noted(self.machine, hello.capacity) {
            self.change_capacity(hello.capacity).await?;
        }
        match hello.boot_id.as_slice().try_into() {
            Ok(bytes) => self.note_agent(BootId::from_bytes(bytes)).await,
            // Of an older agent.
            Err(_) if hello.boot_id.is_empty() => Ok(()),
            Err(_) => Err(invalid("expected a boot id of 16 bytes, got another length")),
        }
    }

    /// Two agents with one key take turns, since only the newest stream is served: that is told, and kept from going on too fast. Which of
    /// them is the right one is for an operator to say.
    async fn note_agent(&self, boot_id: BootId) -> Result<(), Status> {
        let (machine, mut noted_at) = (self.machine, None);
        if self.fleet.node(machine).and_then(|node| node.boot_id) != Some(boot_id) {
            if !self.fleet.may(machine, Deed::ChangeAgent) {
                return Err(too_much(
                    "agents of this node take turns too often; two of them may run with a copy of one key",
                ));
            }
            match self.store.note_boot(machine, boot_id, self.clock.now()).await {
                Ok((BootNews::Returned, revision)) => {
                    noted_at = Some(revision);
                    self.counters.node_duplicated();
                    tracing::warn!(%machine, "two agents run with the key of one node, such as on a cloned disk; only the newest stream is served: stop one, or ban the node and enrol both anew");
                }
                Ok((BootNews::Same | BootNews::Another, revision)) => noted_at = Some(revision),
                // A node is not to wait for the store to work on.
                Err(error) => {
                    self.counters.store_failed(StorePart::reports);
                    tracing::debug!(%error, %machine, "it is not noted which agent connected");
                }
            }
            self.waker.wake();
        }
        self.fleet.stream_belongs_to(machine, boot_id, noted_at);
        Ok(())
    }

    /// Who reports too often is heard later, and waits with it: nothing is read of it meanwhile.
    async fn wait_for_turn(&self) {
        while !self.fleet.may(self.machine, Deed::Report) && self.fleet.node(self.machine).is_some() {
            tokio::time::sleep(REPORT_LOOK_PERIOD).await;
        }
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
        let mut malformed = 0;
        let parsed = reports.iter().filter_map(|report| match report.instance_id.parse() {
            Ok(instance) => Some((instance, InstanceReport::from_wire(report), report.deletion_cost)),
            Err(_) => {
                malformed += 1;
                None
            }
        });
        let noted = self.fleet.note(self.machine, parsed);
        self.counters.reports_ignored(IgnoredReport::malformed, malformed);
        self.counters.reports_ignored(IgnoredReport::not_placed, noted.not_placed);
        costs.add(noted.costs);
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
