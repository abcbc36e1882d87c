// SPDX-License-Identifier: Apache-2.0
//! Forgetting what nobody needs any more.

use std::time::Duration;

use cress_domain::Timestamp;

use super::ControlStore;
use crate::StoreError;
use crate::query::execute;

/// How long a tombstone is kept: much longer than any token may live, and than any replica is behind.
pub const TOMBSTONE_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Who asks for changes since an earlier revision than this must be told to reload.
const RAISE_PRUNED_REVISION: &str = "\
UPDATE control_state SET pruned_revision = (
    SELECT MAX(revision) FROM (
        SELECT pruned_revision AS revision FROM control_state
        UNION ALL SELECT revision FROM control_ended_instances WHERE ended_at < $1
        UNION ALL SELECT revision FROM control_deleted_groups WHERE ended_at < $1
        UNION ALL SELECT revision FROM control_removed_nodes WHERE ended_at < $1
    ) AS pruned
)";

const FORGET: [&str; 4] = [
    "DELETE FROM control_ended_instances WHERE ended_at < $1",
    "DELETE FROM control_deleted_groups WHERE ended_at < $1",
    "DELETE FROM control_removed_nodes WHERE ended_at < $1",
    "DELETE FROM control_join_tokens WHERE expires_at < $1",
];

impl ControlStore {
    /// Forgets tombstones older than [`TOMBSTONE_LIFE`], and join tokens that expired that long ago. Meant to be called every
    /// few minutes by any replica; returns how many rows went. `now` counts only as far as the database's own clock has come, where it
    /// has one: what is forgotten too early is missed by replicas, what is kept for longer harms nobody.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.database.write().await?;
        let now = now.min(self.database.time(&mut transaction, now).await?);
        let oldest = (now - TOMBSTONE_LIFE).unix_microseconds();
        execute(&mut transaction, sqlx::query(RAISE_PRUNED_REVISION).bind(oldest)).await?;
        let mut forgotten = 0;
        for delete in FORGET {
            forgotten += execute(&mut transaction, sqlx::query(delete).bind(oldest)).await?;
        }
        transaction.commit().await?;
        Ok(forgotten)
    }
}
