// SPDX-License-Identifier: Apache-2.0
//! Which deployment this is, and whether the store may have gone back in time.

use std::time::Duration;

use cress_domain::{DeploymentId, Random, Timestamp};

use super::{BrokerStore, counts};
use crate::StoreError;
use crate::query::{all, execute, the_only};
use crate::row::Columns;

/// How long gaps are remembered: longer than any account may be left over.
const GAPS_KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);

/// What a sign of life says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// How many there were. It never goes back but with the whole store.
    pub number: i64,
}

impl BrokerStore {
    /// The id of this deployment, which is in the names of all its accounts: made at the first call, by whichever replica gets there
    /// first, and the same ever after.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn deployment_id(&self, random: &dyn Random) -> Result<DeploymentId, StoreError> {
        let candidate = DeploymentId::generate(random);
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE broker_state SET deployment_id = $1 WHERE deployment_id IS NULL");
        execute(&mut transaction, update.bind(candidate.to_string())).await?;
        let select = sqlx::query("SELECT deployment_id FROM broker_state");
        let deployment = the_only(&mut transaction, select, |row| row.parsed("deployment_id")).await?;
        transaction.commit().await?;
        Ok(deployment)
    }

    /// Notes that a broker is alive now; and, if none was for longer than `gap_min`, since when that was so. In such a time no broker
    /// can have given anything out: if one did, the store has forgotten it, since it was restored from a backup.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn beat(&self, now: Timestamp, gap_min: Duration) -> Result<Beat, StoreError> {
        let mut transaction = self.database.write().await?;
        let gap = sqlx::query(
            "INSERT INTO broker_gaps (from_at, to_at) SELECT alive_at, $1 FROM broker_state WHERE alive_at < $2 ON CONFLICT (to_at) DO NOTHING",
        )
        .bind(now.unix_microseconds())
        .bind((now - gap_min).unix_microseconds());
        execute(&mut transaction, gap).await?;
        let forget = sqlx::query("DELETE FROM broker_gaps WHERE to_at < $1");
        execute(&mut transaction, forget.bind((now - GAPS_KEPT).unix_microseconds())).await?;
        counts::prune(&mut transaction).await?;
        let update = sqlx::query("UPDATE broker_state SET alive_at = $1, beats = beats + 1 RETURNING beats");
        let update = update.bind(now.unix_microseconds());
        let number = the_only(&mut transaction, update, |row| row.raw("beats")).await?;
        transaction.commit().await?;
        Ok(Beat { number })
    }

    /// The times in which no broker was alive, as far as this store knows: from, to.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn gaps(&self) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT from_at, to_at FROM broker_gaps ORDER BY to_at");
        all(&mut transaction, select, |row| Ok((row.moment("from_at")?, row.moment("to_at")?))).await
    }
}
