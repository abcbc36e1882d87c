// SPDX-License-Identifier: Apache-2.0
//! The persistent ring: the schedule put to work over the store, by any number of replicas.
//!
//! What is shown is always what the store holds, read before it is shown and written before it is used. A key whose envelope does
//! not open, or whose public half is not that of its private half, is never published: whoever can write to the database but has no
//! key-encryption key cannot slip in a key of his own.

mod error;
mod inspection;
mod key_ring;
mod operations;
mod records;
mod state;
mod view;

#[cfg(test)]
mod tests;

pub use error::KeyRingError;
pub use inspection::{InspectedKey, RingInspection};
pub use key_ring::KeyRing;
pub use operations::{KeySummary, Rewrapped};
pub use view::{RingView, entity_tag};
