// SPDX-License-Identifier: Apache-2.0
//! Time as a parameter.

use std::time::Duration;

use crate::Timestamp;

/// Where time comes from. The one real clock lives in `service`; tests move their own.
pub trait Clock: Send + Sync {
    /// The wall clock: right on control, possibly wrong on a node.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary fixed moment, never going back, running on while the machine sleeps.
    fn monotonic(&self) -> Duration;
}
