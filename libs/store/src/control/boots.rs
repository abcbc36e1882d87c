// SPDX-License-Identifier: Apache-2.0
//! Which agent speaks for a node, so that every replica notices when two do.

use cress_domain::{MachineId, Timestamp};

use super::nodes::find;
use super::{BootId, BootNews, ControlStore, Revision, revision};
use crate::StoreError;
use crate::query::execute;

impl ControlStore {
    /// Notes that an agent of a node has connected, and says at which revision that is so. Writes nothing if it is the one that did so
    /// last. No plan becomes wrong by it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the node is not there.
    pub async fn note_boot(
        &self,
        machine_id: MachineId,
        boot_id: BootId,
        now: Timestamp,
    ) -> Result<(BootNews, Revision), StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next_beside_placement(&mut transaction).await?;
        let node = find(&mut transaction, machine_id).await?;
        if node.boot_id == Some(boot_id) {
            return Ok((BootNews::Same, revision.previous()));
        }
        let news = if node.boot_id_before == Some(boot_id) { BootNews::Returned } else { BootNews::Another };
        let duplicated_at = if news == BootNews::Returned { Some(now) } else { node.duplicated_at };
        let update = sqlx::query(
            "UPDATE control_nodes SET boot_id = $1, boot_id_before = boot_id, duplicated_at = $2, revision = $3 WHERE machine_id = $4",
        )
        .bind(boot_id.to_string())
        .bind(duplicated_at.map(Timestamp::unix_microseconds))
        .bind(revision.0)
        .bind(machine_id.to_string());
        execute(&mut transaction, update).await?;
        transaction.commit().await?;
        Ok((news, revision))
    }
}
