// SPDX-License-Identifier: Apache-2.0
//! Whose instances each node may run, as its join token said. Most nodes may run everyone's.

use std::collections::{BTreeMap, BTreeSet};

use cress_domain::{MachineId, OrganizationId};

use super::fleet::Fleet;

/// The nodes that may not run everyone's instances.
#[derive(Debug, Default)]
pub(super) struct Bounds<'a>(BTreeMap<MachineId, &'a BTreeSet<OrganizationId>>);

impl<'a> Bounds<'a> {
    pub(super) fn of(fleet: &'a Fleet) -> Self {
        let bounded = fleet.nodes.values().filter_map(|node| Some((node.machine_id, node.organizations.as_ref()?)));
        Self(bounded.collect())
    }

    /// Whether the node may run instances of the organization.
    pub(super) fn allow(&self, machine: MachineId, organization: OrganizationId) -> bool {
        self.0.get(&machine).is_none_or(|organizations| organizations.contains(&organization))
    }

    /// Whether the node may run everyone's instances.
    pub(super) fn is_open(&self, machine: MachineId) -> bool {
        !self.0.contains_key(&machine)
    }

    /// Whether the node is for exactly these organizations.
    pub(super) fn is_for(&self, machine: MachineId, organizations: &BTreeSet<OrganizationId>) -> bool {
        self.0.get(&machine).is_some_and(|its| *its == organizations)
    }

    /// Each set of organizations that nodes are for, the smallest first: who has the fewest places to go to goes first.
    pub(super) fn sets(&self) -> Vec<&'a BTreeSet<OrganizationId>> {
        let sets: BTreeSet<_> = self.0.values().map(|organizations| (organizations.len(), *organizations)).collect();
        sets.into_iter().map(|(_, organizations)| organizations).collect()
    }
}
