// SPDX-License-Identifier: Apache-2.0
//! What runs where, in memory: fed by the store, read on every call of a node.
//!
//! The store decides and this follows, a moment later. Nothing here is ever written to the store's tables of placements, and nothing
//! here is believed for longer than the feed says that it is fresh: a control that lost its store must not go on signing.

mod apply;
mod facts;
mod feed;
mod node;
mod pace;
mod report;
mod subscription;
mod tally;
mod view;
mod waker;

#[cfg(test)]
mod tests;

pub(crate) use facts::{AudienceRefusal, GroupFacts};
pub(crate) use feed::{Feed, FeedError, FeedParts};
pub(crate) use node::{Assignment, NodeFacts, NodeStanding};
pub(crate) use pace::Deed;
pub(crate) use report::InstanceReport;
pub(crate) use subscription::{StreamEnd, Subscription, Update};
pub(crate) use view::{FleetView, StreamBefore};
pub(crate) use waker::{FeedWaker, Refreshed};
