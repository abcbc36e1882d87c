// SPDX-License-Identifier: Apache-2.0
//! Which nodes there are: by the settings, by what Sentinels say, or by what a Cluster says of itself.

pub(crate) mod cluster;
pub(crate) mod sentinel;

use crate::address::Address;

/// A node that must have every account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) address: Address,
    /// Whether an account is of use without this node having it.
    pub(crate) need: Need,
}

/// Whether an account is of use without a node having it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is not: the node serves now.
    Serves,
    /// It is, and the node is given it when it is back: a replica, or a node that those around it gave up.
    CanFollow,
}

impl Found {
    /// Two views of one node; the stricter counts.
    fn merge(found: &mut Vec<Self>, other: Self) {
        match found.iter_mut().find(|each| each.address == other.address) {
            Some(each) if other.need == Need::Serves => each.need = Need::Serves,
            Some(_) => {}
            None => found.push(other),
        }
    }
}
