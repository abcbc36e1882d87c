// SPDX-License-Identifier: Apache-2.0
//! Forgets what has ended by itself, and what was kept for long enough.

use cress_domain::Timestamp;

use super::counts::Changes;
use super::due::Counted;
use super::{BrokerStore, LeaseStatus, answers};
use crate::StoreError;
use crate::query::all;
use crate::row::Columns;

impl BrokerStore {
    /// Forgets leases that are over and of which nothing is left anywhere, `limit` at most, and answers that are given again no more. Says
    /// how many leases it forgot.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lapse(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut transaction = self.database.write().await?;
        let delete = sqlx::query(
            "DELETE FROM broker_leases WHERE id IN (SELECT id FROM broker_leases WHERE ending = 'lapses' AND due_at <= $1 ORDER BY due_at LIMIT $2) RETURNING status, credential, provider, issuer, group_id",
        )
        .bind(now.unix_microseconds())
        .bind(i64::from(limit));
        let rows = all(&mut transaction, delete, |row| Ok((row.parsed::<LeaseStatus>("status")?, Counted::read(row)?)));
        let rows = rows.await?;
        let mut changes = Changes::default();
        // Who is gone has left the counts already.
        rows.iter().filter(|(status, _)| *status != LeaseStatus::Gone).for_each(|(_, one)| one.leaves(&mut changes));
        changes.store(&mut transaction).await?;
        answers::erase(&mut transaction, now).await?;
        transaction.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Whether there is anything to forget.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn is_anything_over(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.database.read().await?;
        let lease = sqlx::query("SELECT due_at FROM broker_leases WHERE ending = 'lapses' ORDER BY due_at LIMIT 1");
        let answer = sqlx::query("SELECT until FROM broker_answers ORDER BY until LIMIT 1");
        let lease = crate::query::one(&mut transaction, lease, |row| row.moment("due_at")).await?;
        let answer = crate::query::one(&mut transaction, answer, |row| row.moment("until")).await?;
        Ok([lease, answer].into_iter().flatten().any(|over| over <= now))
    }
}
