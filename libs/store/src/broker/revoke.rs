// SPDX-License-Identifier: Apache-2.0
//! Ends leases before their time.

use cress_domain::{LeaseId, Timestamp};

use super::owner::stored_id;
use super::records::Selection;
use super::{BrokerStore, Owner};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{Statement, all};
use crate::row::Columns;

/// What one part of a revocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// How many leases were good.
    pub leases: u64,
    /// After which lease the next part begins; none if this was the last.
    pub next_after: Option<LeaseId>,
}

/// What has an account is due now; what has none lives on until its end, since nothing ends it earlier.
macro_rules! revoke {
    ($($which:tt)+) => {
        concat!(
            "UPDATE broker_leases SET status = 'revoking', owed_since = CASE WHEN ending = 'revoked' THEN $1 END, due_at = CASE WHEN ending = 'revoked' THEN $1 ELSE due_at END WHERE ",
            $($which)+,
            " RETURNING id"
        )
    };
}

macro_rules! revoke_part {
    ($column:literal) => {
        revoke!(
            "id IN (SELECT id FROM broker_leases WHERE status IN ('intended', 'active') AND granted_at <= $1 AND id > $2 AND ",
            $column,
            " = $3 ORDER BY id LIMIT $4)"
        )
    };
}

impl BrokerStore {
    /// Ends a lease, if it is this owner's and not over yet. Says whether it was.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn end(&self, owner: &Owner, lease: LeaseId, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query(revoke!(
            "id = $2 AND owner_id = $3 AND owner_kind = $4 AND issuer = $5 AND status IN ('intended', 'active')"
        ))
        .bind(now.unix_microseconds())
        .bind(lease.to_string())
        .bind(owner.id())
        .bind(owner.kind())
        .bind(owner.issuer().as_str());
        let ended = !ids(&mut transaction, update).await?.is_empty();
        transaction.commit().await?;
        Ok(ended)
    }

    /// Ends the leases that were granted until now and are selected, `limit` of them at most; the next part begins after the last one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn revoke(
        &self,
        selection: &Selection,
        after: Option<LeaseId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Revoked, StoreError> {
        let mut transaction = self.database.write().await?;
        let after = after.map_or_else(String::new, |lease| lease.to_string());
        let part = |sql: &'static str, value: String| {
            sqlx::query(sql).bind(now.unix_microseconds()).bind(after).bind(value).bind(i64::from(limit))
        };
        let ended = match selection {
            Selection::Lease(lease) => {
                vec![one_lease(&mut transaction, *lease, now).await?].into_iter().flatten().collect()
            }
            Selection::Instance { issuer: None, instance_id } => {
                let update = sqlx::query(revoke!(
                    "owner_id = $2 AND owner_kind = 'instance' AND status IN ('intended', 'active') AND status <> 'gone'"
                ));
                ids(&mut transaction, update.bind(now.unix_microseconds()).bind(stored_id(instance_id))).await?
            }
            Selection::Instance { issuer: Some(issuer), instance_id } => {
                let update = sqlx::query(revoke!(
                    "owner_id = $2 AND owner_kind = 'instance' AND issuer = $3 AND status IN ('intended', 'active') AND status <> 'gone'"
                ));
                let update = update.bind(now.unix_microseconds()).bind(stored_id(instance_id)).bind(issuer.as_str());
                ids(&mut transaction, update).await?
            }
            Selection::Credential(name) => {
                ids(&mut transaction, part(revoke_part!("credential"), name.to_string())).await?
            }
            Selection::Issuer(issuer) => {
                ids(&mut transaction, part(revoke_part!("issuer"), issuer.as_str().to_owned())).await?
            }
            Selection::Provider(name) => {
                ids(&mut transaction, part(revoke_part!("provider"), name.to_string())).await?
            }
        };
        transaction.commit().await?;
        let is_part = matches!(selection, Selection::Credential(_) | Selection::Issuer(_) | Selection::Provider(_));
        let full = is_part && ended.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Revoked { leases: ended.len() as u64, next_after: ended.iter().max().copied().filter(|_| full) })
    }
}

async fn one_lease(
    transaction: &mut Transaction,
    lease: LeaseId,
    now: Timestamp,
) -> Result<Option<LeaseId>, StoreError> {
    let update = sqlx::query(revoke!("id = $2 AND status IN ('intended', 'active')"));
    let update = update.bind(now.unix_microseconds()).bind(lease.to_string());
    Ok(ids(transaction, update).await?.into_iter().next())
}

async fn ids(transaction: &mut Transaction, update: Statement<'_>) -> Result<Vec<LeaseId>, StoreError> {
    all(transaction, update, |row| row.parsed("id")).await
}
