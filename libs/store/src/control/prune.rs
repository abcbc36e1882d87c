// SPDX-License-Identifier: Apache-2.0
//! Forgetting what nobody needs any more.

use std::time::Duration;

use cress_domain::Timestamp;

use super::ControlStore;
use crate::StoreError;

/// How long a tombstone is kept: much longer than any token may live, and than any replica is behind.
pub const TOMBSTONE_LIFE: Duration = Duration::from_secs(24 * 3_600);

impl ControlStore {
    /// Forgets tombstones older than [`TOMBSTONE_LIFE`], and join tokens that expired that long ago. Meant to be called every
    /// few minutes by any replica; returns how many rows went.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn prune(&self, _now: Timestamp) -> Result<u64, StoreError> {
        todo!()
    }
}
