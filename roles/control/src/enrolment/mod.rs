// SPDX-License-Identifier: Apache-2.0
//! How a node becomes a member of the fleet, and how it stays one.
//!
//! A join token is worth one node. It is never stored, only its hash; it is used up in the same transaction that makes the node a member,
//! and answers only the key that used it. What control believes of a node is its key: names are for people. So a node that comes too late to
//! renew its certificate proves that key, and needs no new join token.

mod failed_tries;
mod recovery;
mod secret;
mod service;

pub(crate) use failed_tries::FailedTries;
pub(crate) use secret::secret_hash;
pub(crate) use service::{EnrolmentParts, EnrolmentService};
