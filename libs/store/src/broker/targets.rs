// SPDX-License-Identifier: Apache-2.0
//! How the accounts at each target compare with the leases.

use std::collections::HashSet;

use cress_domain::{LeaseId, ProviderName, Timestamp};
use sqlx::any::AnyRow;

use super::BrokerStore;
use super::owner::told;
use super::records::TargetRecord;
use super::rows::{list, parts, statement};
use crate::StoreError;
use crate::query::{all, execute, one};
use crate::row::Columns;

impl BrokerStore {
    /// Takes the comparison of a target's accounts with the leases, if nobody else has it and the last was before `before`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn claim_comparison(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        claimed_until: Timestamp,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        let insert = sqlx::query(
            "INSERT INTO broker_targets (provider, claimed_until, strays, released_until) VALUES ($1, 0, 0, 0) ON CONFLICT (provider) DO NOTHING",
        );
        execute(&mut transaction, insert.bind(provider.as_str())).await?;
        let update = sqlx::query("UPDATE broker_targets SET claimed_until = $1 WHERE provider = $2 AND claimed_until <= $3 AND (compared_at IS NULL OR compared_at <= $4)")
            .bind(claimed_until.unix_microseconds())
            .bind(provider.as_str())
            .bind(now.unix_microseconds())
            .bind(before.unix_microseconds());
        let taken = execute(&mut transaction, update).await? > 0;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Which of these leases are there and not gone.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn live_of(&self, leases: &[LeaseId]) -> Result<HashSet<LeaseId>, StoreError> {
        let (mut transaction, mut live) = (self.database.read().await?, HashSet::new());
        for part in parts(leases) {
            let select = statement(format!(
                "SELECT id FROM broker_leases WHERE status <> 'gone' AND id IN ({})",
                list(0, part.len())
            ));
            let select = part.iter().fold(select, |select, id| select.bind(id.to_string()));
            live.extend(all(&mut transaction, select, |row| row.parsed::<LeaseId>("id")).await?);
        }
        Ok(live)
    }

    /// What came of a comparison. Without `held` nothing is held any more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn note_comparison(
        &self,
        provider: &ProviderName,
        strays: u64,
        held: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE broker_targets SET claimed_until = 0, compared_at = $1, strays = $2, held_since = CASE WHEN $3 <> '' THEN COALESCE(held_since, $1) END, held_reason = CASE WHEN $3 <> '' THEN $3 END WHERE provider = $4")
            .bind(now.unix_microseconds())
            .bind(i64::try_from(strays).unwrap_or(i64::MAX))
            .bind(told(held.unwrap_or_default()))
            .bind(provider.as_str());
        execute(&mut transaction, update).await?;
        transaction.commit().await
    }

    /// Lets strays at a target be removed until `until`, however many they are. Says whether anything was held there.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn release(&self, provider: &ProviderName, until: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE broker_targets SET released_until = $1, compared_at = NULL WHERE provider = $2 AND held_since IS NOT NULL")
            .bind(until.unix_microseconds())
            .bind(provider.as_str());
        let was_held = execute(&mut transaction, update).await? > 0;
        transaction.commit().await?;
        Ok(was_held)
    }

    /// How it stands with a target.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn target(&self, provider: &ProviderName) -> Result<TargetRecord, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT compared_at, strays, held_since, held_reason, released_until FROM broker_targets WHERE provider = $1",
        );
        let found = one(&mut transaction, select.bind(provider.as_str()), target).await?;
        Ok(found.unwrap_or_default())
    }
}

fn target(row: &AnyRow) -> Result<TargetRecord, StoreError> {
    let held_since = row.moment_or_null("held_since")?;
    let held_reason: Option<String> = row.raw("held_reason")?;
    let released: i64 = row.raw("released_until")?;
    Ok(TargetRecord {
        compared_at: row.moment_or_null("compared_at")?,
        strays: row.number("strays")?,
        held: held_since.zip(held_reason),
        released_until: (released > 0).then(|| Timestamp::from_unix_microseconds(released)),
    })
}
