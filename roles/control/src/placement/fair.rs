// SPDX-License-Identifier: Apache-2.0
//! Who gets what there is when there is not enough: the groups with the fewest instances first, so that no large group starves
//! the small ones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use cress_domain::{ContainerGroupId, OrganizationId};

/// How many instances a group has and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) group: ContainerGroupId,
    pub(super) organization: OrganizationId,
    pub(super) placed: usize,
    pub(super) wanted: usize,
}

impl Demand {
    pub(super) const fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.placed)
    }
}

/// How many more instances each group gets if there is room for `free` in all. Groups that get none are left out.
pub(super) fn share<'a>(
    demands: impl Iterator<Item = &'a Demand> + Clone,
    free: usize,
) -> BTreeMap<ContainerGroupId, usize> {
    let missing: usize = demands.clone().map(Demand::missing).sum();
    if missing <= free {
        let lacking = demands.filter(|demand| demand.missing() > 0);
        return lacking.map(|demand| (demand.group, demand.missing())).collect();
    }
    let mut shares = BTreeMap::new();
    let lacking = demands.filter(|demand| demand.missing() > 0);
    let mut poorest: BinaryHeap<_> =
        lacking.map(|demand| Reverse((demand.placed, demand.group, demand.wanted))).collect();
    for _ in 0..free {
        let Some(Reverse((placed, group, wanted))) = poorest.pop() else { break };
        *shares.entry(group).or_insert(0) += 1;
        if placed + 1 < wanted {
            poorest.push(Reverse((placed + 1, group, wanted)));
        }
    }
    shares
}
