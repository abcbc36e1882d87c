// SPDX-License-Identifier: Apache-2.0
//! What operators ask of the whole table: its groups, and how many instances are placed where. Counted here, since the store would have
//! to read the whole fleet for it.

use std::collections::HashMap;
use std::sync::Arc;

use cress_domain::{ContainerGroupId, MachineId};

use super::facts::GroupFacts;
use super::view::FleetView;

impl FleetView {
    /// Every container group, in no order.
    #[must_use]
    pub(crate) fn groups(&self) -> Vec<Arc<GroupFacts>> {
        self.groups_mut().values().map(Arc::clone).collect()
    }

    /// How many instances of each container group are placed; those without any are left out.
    #[must_use]
    pub(crate) fn placed_by_group(&self) -> HashMap<ContainerGroupId, u32> {
        let mut placed = HashMap::new();
        for node in self.nodes().values() {
            for assignment in node.read().instances.values() {
                *placed.entry(assignment.group.id).or_insert(0) += 1;
            }
        }
        placed
    }

    /// How many instances are placed on this machine.
    #[must_use]
    pub(crate) fn placed_on(&self, machine: MachineId) -> u32 {
        let count = self.nodes().get(&machine).map_or(0, |node| node.read().instances.len());
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cress_domain::{InstanceId, OrganizationId, ProjectId};
    use cress_store::KeyFingerprint;
    use cress_store::control::Revision;
    use cress_testkit::MockClock;

    use super::*;
    use crate::fleet::apply::Placement;
    use crate::fleet::{NodeFacts, NodeStanding};

    const MACHINES: [MachineId; 3] =
        [MachineId::from_bytes([1; 16]), MachineId::from_bytes([2; 16]), MachineId::from_bytes([3; 16])];
    const GROUPS: [ContainerGroupId; 2] =
        [ContainerGroupId::from_bytes([4; 16]), ContainerGroupId::from_bytes([5; 16])];

    fn group(id: ContainerGroupId) -> GroupFacts {
        let definition = serde_json::from_str(r#"{"replicas":1,"command":["true"]}"#).unwrap();
        let name = || "demo".parse().unwrap();
        let (project, organization) = (ProjectId::from_bytes([8; 16]), OrganizationId::from_bytes([9; 16]));
        GroupFacts::new((id, name()), (project, name()), (organization, name()), definition).unwrap()
    }

    #[test]
    fn instances_are_counted_by_group_and_by_node() {
        let fleet = FleetView::new(Arc::new(MockClock::default()), Duration::from_secs(30));
        GROUPS.into_iter().for_each(|id| fleet.put_group(group(id)));
        let (standing, key_fingerprint) = (NodeStanding::Active, KeyFingerprint::from_bytes([7; 32]));
        let node = NodeFacts { key_fingerprint, standing, capacity: 10, capacity_max: None, boot_id: None };
        MACHINES.into_iter().for_each(|machine| fleet.put_node(machine, node, Revision::default()));
        assert_eq!((fleet.groups().len(), fleet.placed_by_group()), (2, HashMap::new()));

        let [one, other] = GROUPS;
        let [first, second, empty] = MACHINES;
        for (number, (group, machine)) in [(one, first), (one, second), (other, first), (one, first)].iter().enumerate()
        {
            let instance = InstanceId::from_bytes([number as u8; 16]);
            let (group, machine) = (*group, *machine);
            fleet.place(Placement { instance, machine, group, deletion_cost: 0 }).unwrap();
        }
        assert_eq!(fleet.placed_by_group(), HashMap::from([(one, 3), (other, 1)]));
        assert_eq!([first, second, empty].map(|machine| fleet.placed_on(machine)), [3, 1, 0]);
        assert_eq!(fleet.placed_on(MachineId::from_bytes([6; 16])), 0, "of no node of the fleet");
    }
}
