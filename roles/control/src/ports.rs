// SPDX-License-Identifier: Apache-2.0
//! What control takes from outside: time, randomness and the way to stop.

use std::fmt;
use std::sync::Arc;

use cress_domain::{Clock, Random};
use cress_service::Shutdown;

/// What control is run with.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub random: Arc<dyn Random>,
    /// Asks control to stop, and waits until it has.
    pub shutdown: Shutdown,
}

impl fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ports").field("shutdown", &self.shutdown).finish_non_exhaustive()
    }
}
