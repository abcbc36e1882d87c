// SPDX-License-Identifier: Apache-2.0
//! Where one more instance goes: to the node with the fewest instances of its group, then to the one that is the least full, then
//! to the one with the lowest id.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use cress_domain::{ContainerGroupId, MachineId};
use cress_store::control::InstanceRecord;

/// The nodes that may work, and how full they are.
#[derive(Debug)]
pub(super) struct Spread {
    nodes: BTreeMap<MachineId, Load>,
    of_group: HashMap<(ContainerGroupId, MachineId), usize>,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    capacity: usize,
    instances: usize,
}

impl Load {
    const fn free(self) -> usize {
        self.capacity.saturating_sub(self.instances)
    }
}

impl Spread {
    /// Nodes with their capacity, and what is placed on them already.
    pub(super) fn new<'a, I>(nodes: &[(MachineId, u32)], placed: I) -> Self
    where
        I: Iterator<Item = &'a &'a InstanceRecord>,
    {
        let empty = |capacity| Load { capacity: usize::try_from(capacity).unwrap_or(usize::MAX), instances: 0 };
        let mut spread = Self {
            nodes: nodes.iter().map(|(machine, capacity)| (*machine, empty(*capacity))).collect(),
            of_group: HashMap::new(),
        };
        for instance in placed {
            if let Some(load) = spread.nodes.get_mut(&instance.machine_id) {
                load.instances += 1;
                *spread.of_group.entry((instance.container_group_id, instance.machine_id)).or_insert(0) += 1;
            }
        }
        spread
    }

    /// For how many more instances there is room on these nodes.
    pub(super) fn free(&self, may: impl Fn(MachineId) -> bool) -> usize {
        let nodes = self.nodes.iter().filter(|(machine, _)| may(**machine));
        nodes.fold(0, |free, (_, load)| free.saturating_add(load.free()))
    }

    /// Chooses one of these nodes for each of so many replicas of a group, as long as there is room.
    pub(super) fn place(
        &mut self,
        group: ContainerGroupId,
        replicas: usize,
        may: impl Fn(MachineId) -> bool,
    ) -> Vec<MachineId> {
        let mut candidates = self.candidates(group, may);
        let mut chosen = Vec::with_capacity(replicas.min(self.nodes.len()));
        while chosen.len() < replicas {
            let Some(Reverse(mut candidate)) = candidates.pop() else { break };
            chosen.push(candidate.machine);
            candidate.of_group += 1;
            candidate.load.instances += 1;
            self.nodes.insert(candidate.machine, candidate.load);
            self.of_group.insert((group, candidate.machine), candidate.of_group);
            if candidate.load.free() > 0 {
                candidates.push(Reverse(candidate));
            }
        }
        chosen
    }

    fn candidates(&self, group: ContainerGroupId, may: impl Fn(MachineId) -> bool) -> BinaryHeap<Reverse<Candidate>> {
        let free = self.nodes.iter().filter(|(machine, load)| load.free() > 0 && may(**machine));
        free.map(|(machine, load)| {
            let of_group = self.of_group.get(&(group, *machine)).copied().unwrap_or(0);
            Reverse(Candidate { of_group, load: *load, machine: *machine })
        })
        .collect()
    }
}

/// A node with room, in the order in which they are chosen.
#[derive(Debug)]
struct Candidate {
    of_group: usize,
    load: Load,
    machine: MachineId,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // instances / capacity, without a division.
        let fullness = |one: Load, other: Load| (one.instances as u128) * (other.capacity as u128);
        self.of_group
            .cmp(&other.of_group)
            .then_with(|| fullness(self.load, other.load).cmp(&fullness(other.load, self.load)))
            .then_with(|| self.machine.cmp(&other.machine))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
