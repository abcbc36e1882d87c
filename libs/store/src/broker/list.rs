// SPDX-License-Identifier: Apache-2.0
//! Leases, for those who look.

use cress_domain::LeaseId;
use sqlx::any::AnyRow;

use super::owner::stored_id;
use super::records::{Ending, LeaseFilter, LeaseRecord, Page};
use super::rows::statement;
use super::{BrokerStore, Owner};
use crate::StoreError;
use crate::query::{all, one};
use crate::row::{Columns, unreadable};

const COLUMNS: &str = "id, credential, provider, issuer, owner_kind, owner_id, group_id, status, ending, granted_at, expires_at, renew_until, due_at, owed_since, attempts, last_error";

impl BrokerStore {
    /// One lease, also one that is gone and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lease(&self, lease: LeaseId) -> Result<Option<LeaseRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = statement(format!("SELECT {COLUMNS} FROM broker_leases WHERE id = $1"));
        one(&mut transaction, select.bind(lease.to_string()), record).await
    }

    /// One lease, if it is this owner's and active.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lease_of(&self, owner: &Owner, lease: LeaseId) -> Result<Option<LeaseRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = statement(format!(
            "SELECT {COLUMNS} FROM broker_leases WHERE id = $1 AND owner_id = $2 AND owner_kind = $3 AND issuer = $4 AND status = 'active'"
        ))
        .bind(lease.to_string())
        .bind(owner.id())
        .bind(owner.kind())
        .bind(owner.issuer().as_str().to_owned());
        one(&mut transaction, select, record).await
    }

    /// The leases of an owner that are not gone, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn leases_of(&self, owner: &Owner, page: Page) -> Result<Vec<LeaseRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = statement(format!(
            "SELECT {COLUMNS} FROM broker_leases WHERE status <> 'gone' AND owner_id = $1 AND owner_kind = $2 AND issuer = $3 AND id > $4 ORDER BY id LIMIT $5"
        ))
        .bind(owner.id())
        .bind(owner.kind())
        .bind(owner.issuer().as_str().to_owned())
        .bind(page.after.map_or_else(String::new, |lease| lease.to_string()))
        .bind(i64::from(page.limit));
        all(&mut transaction, select, record).await
    }

    /// The leases that fit, also those that are gone and not yet forgotten, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn leases(&self, filter: &LeaseFilter, page: Page) -> Result<Vec<LeaseRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let conditions = conditions(filter);
        let mut sql = format!("SELECT {COLUMNS} FROM broker_leases WHERE id > $1");
        for (index, (column, _)) in conditions.iter().enumerate() {
            sql.push_str(&format!(" AND {column} = ${}", index + 3));
        }
        sql.push_str(" ORDER BY id LIMIT $2");
        let select = statement(sql)
            .bind(page.after.map_or_else(String::new, |lease| lease.to_string()))
            .bind(i64::from(page.limit));
        let select = conditions.into_iter().fold(select, |select, (_, value)| select.bind(value));
        all(&mut transaction, select, record).await
    }
}

/// Columns, which are constants, and what they have to be.
fn conditions(filter: &LeaseFilter) -> Vec<(&'static str, String)> {
    let mut conditions = Vec::new();
    if let Some(instance_id) = &filter.instance_id {
        conditions.push(("owner_kind", "instance".to_owned()));
        conditions.push(("owner_id", stored_id(instance_id)));
    }
    let rest = [
        ("group_id", filter.group_id.as_deref().map(stored_id)),
        ("credential", filter.credential.as_ref().map(ToString::to_string)),
        ("provider", filter.provider.as_ref().map(ToString::to_string)),
        ("issuer", filter.issuer.as_ref().map(|issuer| issuer.as_str().to_owned())),
        ("status", filter.status.map(|status| status.as_str().to_owned())),
    ];
    conditions.extend(rest.into_iter().filter_map(|(column, value)| Some((column, value?))));
    conditions
}

fn record(row: &AnyRow) -> Result<LeaseRecord, StoreError> {
    let (kind, id): (String, String) = (row.raw("owner_kind")?, row.raw("owner_id")?);
    Ok(LeaseRecord {
        id: row.parsed("id")?,
        credential: row.parsed("credential")?,
        provider: row.parsed("provider")?,
        issuer: row.parsed("issuer")?,
        owner: format!("{kind} {id}"),
        group_id: row.raw("group_id")?,
        status: row.parsed("status")?,
        ending: ending(row)?,
        granted_at: row.moment("granted_at")?,
        expires_at: row.moment("expires_at")?,
        renew_until: row.moment("renew_until")?,
        due_at: row.moment("due_at")?,
        owed_since: row.moment_or_null("owed_since")?,
        attempts: row.number("attempts")?,
        last_error: row.raw("last_error")?,
    })
}

pub(super) fn ending(row: &AnyRow) -> Result<Ending, StoreError> {
    match row.raw::<&str>("ending")? {
        "lapses" => Ok(Ending::Lapses),
        "revoked" => Ok(Ending::Revoked),
        _ => Err(unreadable("ending", "expected lapses or revoked")),
    }
}
