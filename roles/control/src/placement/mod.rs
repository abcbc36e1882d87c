// SPDX-License-Identifier: Apache-2.0
//! Which instance runs on which node: a pure planner, and the task that carries its plans out.
//!
//! A plan is applied by compare-and-swap on the store's revision, so that however many replicas of control plan at the same
//! time, no replica of a group is placed twice.

mod bounds;
mod fair;
mod fleet;
mod plan;
mod reconcile;
mod spread;

#[cfg(test)]
mod tests;

pub(crate) use reconcile::{PendingReplicas, Reconciler, ReconcilerParts};
