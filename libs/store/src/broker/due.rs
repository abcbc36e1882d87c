// SPDX-License-Identifier: Apache-2.0
//! What a provider has to end: claimed for a while by whoever does it, so that others leave it alone and take it over if that one dies.

use std::time::Duration;

use cress_domain::{LeaseId, ProviderName, Timestamp};
use sqlx::any::AnyRow;

use super::BrokerStore;
use super::counts::{self, Changes};
use super::owner::told;
use super::records::{DueLease, FailedRevocation, OWED_COUNTED_MAX, Owed};
use super::rows::{list, parts, statement};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{all, execute, one, the_only};
use crate::row::Columns;

/// How long a lease that is gone is kept for those who look.
pub const GONE_LIFE: Duration = Duration::from_secs(3_600);

impl BrokerStore {
    /// Takes what is due at a target, the longest due first. It is due again at `claimed_until`, if nothing has been said of it by then.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn claim(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        claimed_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueLease>, StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query(
            "UPDATE broker_leases SET status = 'revoking', owed_since = COALESCE(owed_since, due_at), due_at = $1 WHERE id IN (SELECT id FROM broker_leases WHERE provider = $2 AND ending = 'revoked' AND due_at <= $3 ORDER BY due_at LIMIT $4) RETURNING id, attempts, granted_at, activated_at",
        )
        .bind(claimed_until.unix_microseconds())
        .bind(provider.as_str())
        .bind(now.unix_microseconds())
        .bind(i64::from(limit));
        let due = all(&mut transaction, update, due_lease).await?;
        transaction.commit().await?;
        Ok(due)
    }

    /// When something is due at a target next.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn next_due(&self, provider: &ProviderName) -> Result<Option<Timestamp>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT due_at FROM broker_leases WHERE provider = $1 AND ending = 'revoked' ORDER BY due_at LIMIT 1",
        );
        one(&mut transaction, select.bind(provider.as_str()), |row| row.moment("due_at")).await
    }

    /// Their accounts are no more. They are kept for [`GONE_LIFE`]. Says how many were not gone before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn gone(&self, leases: &[LeaseId], now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.database.write().await?;
        let (mut changes, mut gone) = (Changes::default(), 0);
        for part in parts(leases) {
            let update = statement(format!(
                "UPDATE broker_leases SET status = 'gone', ending = 'lapses', due_at = $1, owed_since = NULL WHERE status = 'revoking' AND ending = 'revoked' AND id IN ({}) RETURNING credential, provider, issuer, group_id",
                list(1, part.len())
            ));
            let update = update.bind((now + GONE_LIFE).unix_microseconds());
            let update = part.iter().fold(update, |update, id| update.bind(id.to_string()));
            let counted = all(&mut transaction, update, Counted::read).await?;
            gone += counted.len() as u64;
            counted.iter().for_each(|one| one.leaves(&mut changes));
        }
        changes.store(&mut transaction).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Their revocation did not succeed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn failed(&self, failures: &[FailedRevocation]) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        for failure in failures {
            let update = sqlx::query(
                "UPDATE broker_leases SET attempts = attempts + 1, due_at = $1, last_error = $2 WHERE id = $3 AND status = 'revoking' AND ending = 'revoked'",
            )
            .bind(failure.due_at.unix_microseconds())
            .bind(told(&failure.error))
            .bind(failure.lease.to_string());
            execute(&mut transaction, update).await?;
        }
        transaction.commit().await
    }

    /// Their revocation was claimed and not tried, or has to be repeated later.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn postpone(&self, leases: &[LeaseId], due_at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        for part in parts(leases) {
            let update = statement(format!(
                "UPDATE broker_leases SET due_at = $1 WHERE status = 'revoking' AND ending = 'revoked' AND id IN ({})",
                list(1, part.len())
            ));
            let update = update.bind(due_at.unix_microseconds());
            execute(&mut transaction, part.iter().fold(update, |update, id| update.bind(id.to_string()))).await?;
        }
        transaction.commit().await
    }

    /// What a target owes.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn owed(&self, provider: &ProviderName, now: Timestamp) -> Result<Owed, StoreError> {
        let mut transaction = self.database.read().await?;
        let claimed = owed(&mut transaction, provider, now, CLAIMED).await?;
        let unclaimed = owed(&mut transaction, provider, now, UNCLAIMED).await?;
        let select = sqlx::query(
            "SELECT last_error FROM broker_leases WHERE provider = $1 AND owed_since IS NOT NULL AND last_error IS NOT NULL ORDER BY owed_since LIMIT 1",
        );
        let last_error = one(&mut transaction, select.bind(provider.as_str()), |row| row.raw("last_error")).await?;
        let oldest = [claimed.1, unclaimed.1].into_iter().flatten().min();
        Ok(Owed { due: claimed.0 + unclaimed.0, oldest, last_error })
    }
}

/// Those of which a revocation has begun, or was asked for.
const CLAIMED: &str = "SELECT COUNT(*) AS due, MIN(since) AS oldest FROM (SELECT owed_since AS since FROM broker_leases WHERE provider = $1 AND owed_since IS NOT NULL AND owed_since <= $2 ORDER BY owed_since LIMIT $3) AS owed";
/// Those that are over, and that nobody has looked at yet.
const UNCLAIMED: &str = "SELECT COUNT(*) AS due, MIN(since) AS oldest FROM (SELECT due_at AS since FROM broker_leases WHERE provider = $1 AND ending = 'revoked' AND due_at <= $2 AND owed_since IS NULL ORDER BY due_at LIMIT $3) AS owed";

async fn owed(
    transaction: &mut Transaction,
    provider: &ProviderName,
    now: Timestamp,
    sql: &'static str,
) -> Result<(u64, Option<Timestamp>), StoreError> {
    let select =
        sqlx::query(sql).bind(provider.as_str()).bind(now.unix_microseconds()).bind(i64::from(OWED_COUNTED_MAX));
    the_only(transaction, select, |row| Ok((row.number("due")?, row.moment_or_null("oldest")?))).await
}

fn due_lease(row: &AnyRow) -> Result<DueLease, StoreError> {
    let unconfirmed = row.moment_or_null("activated_at")?.is_none();
    let granted_at = row.moment("granted_at")?;
    Ok(DueLease {
        id: row.parsed("id")?,
        attempts: row.number("attempts")?,
        unconfirmed_since: unconfirmed.then_some(granted_at),
    })
}

/// A row that is counted.
pub(super) struct Counted {
    credential: String,
    provider: String,
    issuer: String,
    group_id: Option<String>,
}

impl Counted {
    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            credential: row.raw("credential")?,
            provider: row.raw("provider")?,
            issuer: row.raw("issuer")?,
            group_id: row.raw("group_id")?,
        })
    }

    /// It is counted no more.
    pub(super) fn leaves(&self, changes: &mut Changes) {
        changes.add(&counts::of_provider(&self.provider), -1);
        if let Some(group_id) = &self.group_id {
            changes.add(&counts::of_group(&self.credential, &self.issuer, group_id), -1);
        }
    }
}
