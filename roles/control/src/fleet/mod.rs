// SPDX-License-Identifier: Apache-2.0
//! What runs where, in memory: fed by the store, read on every call of a node.
//!
//! The store decides and this follows, a moment later. Nothing here is ever written to the store's tables of placements, and nothing
//! here is believed for longer than the feed says that it is fresh: a control that lost its store must not go on signing.

mod apply;
mod facts;
mod feed;
mod node;
mod report;
mod subscription;
mod view;
mod waker;

#[cfg(test)]
mod tests;

pub use facts::{AudienceRefusal, GroupFacts, GroupFactsError};
pub use feed::{Feed, FeedError, FeedSettings};
pub use node::{Assignment, NodeFacts, NodeStanding};
pub use report::InstanceReport;
pub use subscription::{StreamEnd, Subscription, Update};
pub use view::{FleetCounts, FleetStale, FleetView, StreamBefore};
pub use waker::{FeedWaker, Refreshed};
