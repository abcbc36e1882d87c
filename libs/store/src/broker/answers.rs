// SPDX-License-Identifier: Apache-2.0
//! Answers that are given again, under envelope encryption, until their time is over.

use std::collections::HashMap;

use cress_domain::{LeaseId, Timestamp};
use sqlx::any::AnyRow;

use super::records::{KeptAnswer, LeaseStatus, NewAnswer};
use super::rows::{list, parts, statement};
use crate::database::Transaction;
use crate::query::{all, execute};
use crate::row::{Columns, unreadable};
use crate::{Sealed, StoreError};

/// What is known under a key.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) request: [u8; 32],
    until: Timestamp,
    /// Whether its lease is, or may yet become, good; and until when, if it is.
    live: Option<Option<Timestamp>>,
    pub(super) kept: Option<KeptAnswer>,
}

impl Earlier {
    /// The first of two in one transaction. The second has to ask again.
    pub(super) const fn of_this_transaction(answer: &NewAnswer) -> Self {
        Self { request: answer.request, until: answer.until, live: Some(None), kept: None }
    }

    /// Whether it is to be heeded: an answer whose lease is over is of no use, and its key is free again.
    pub(super) fn counts_at(&self, now: Timestamp) -> bool {
        self.until > now && self.live.is_some_and(|until| until.is_none_or(|until| until > now))
    }
}

/// What is known under these keys.
pub(super) async fn load(
    transaction: &mut Transaction,
    keys: &[[u8; 32]],
) -> Result<HashMap<[u8; 32], Earlier>, StoreError> {
    let mut found = HashMap::new();
    for part in parts(keys) {
        let select = statement(format!(
            "SELECT a.key, a.request, a.lease, a.until, a.key_encryption_key, a.envelope, l.status, l.expires_at, l.renew_until FROM broker_answers a LEFT JOIN broker_leases l ON l.id = a.lease WHERE a.key IN ({})",
            list(0, part.len())
        ));
        let select = part.iter().fold(select, |select, key| select.bind(key.to_vec()));
        found.extend(all(transaction, select, earlier).await?);
    }
    Ok(found)
}

fn earlier(row: &AnyRow) -> Result<([u8; 32], Earlier), StoreError> {
    let status: Option<LeaseStatus> = row.parsed_or_null("status")?;
    let ends = row.moment_or_null("expires_at")?;
    let live = match status {
        Some(LeaseStatus::Intended) => Some(None),
        Some(LeaseStatus::Active) => Some(ends),
        _ => None,
    };
    let has_answer = row.raw::<Option<String>>("key_encryption_key")?.is_some() && status == Some(LeaseStatus::Active);
    let kept = match (has_answer, ends, row.moment_or_null("renew_until")?) {
        (true, Some(expires_at), Some(renew_until)) => {
            Some(KeptAnswer { lease: row.parsed("lease")?, expires_at, renew_until, sealed: row.sealed()? })
        }
        _ => None,
    };
    let earlier = Earlier { request: hash(row, "request")?, until: row.moment("until")?, live, kept };
    Ok((hash(row, "key")?, earlier))
}

fn hash(row: &AnyRow, column: &'static str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.raw(column)?;
    bytes.try_into().map_err(|_| unreadable(column, "expected 32 bytes"))
}

/// In the place of an earlier one that counts no more.
pub(super) async fn insert(
    transaction: &mut Transaction,
    answer: &NewAnswer,
    lease: LeaseId,
) -> Result<(), StoreError> {
    let sealed = answer.sealed.as_ref();
    let insert = sqlx::query(
        "INSERT INTO broker_answers (key, request, lease, until, key_encryption_key, envelope) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO UPDATE SET request = excluded.request, lease = excluded.lease, until = excluded.until, key_encryption_key = excluded.key_encryption_key, envelope = excluded.envelope",
    )
    .bind(answer.key.to_vec())
    .bind(answer.request.to_vec())
    .bind(lease.to_string())
    .bind(answer.until.unix_microseconds())
    .bind(sealed.map(|sealed| sealed.key_encryption_key.clone()))
    .bind(sealed.map(|sealed| sealed.bytes.clone()));
    execute(transaction, insert).await.map(drop)
}

/// The answer of a lease that is good now.
pub(super) async fn fill(
    transaction: &mut Transaction,
    key: &[u8; 32],
    lease: LeaseId,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    let update =
        sqlx::query("UPDATE broker_answers SET key_encryption_key = $1, envelope = $2 WHERE key = $3 AND lease = $4")
            .bind(sealed.key_encryption_key.clone())
            .bind(sealed.bytes.clone())
            .bind(key.to_vec())
            .bind(lease.to_string());
    execute(transaction, update).await.map(drop)
}

/// The key may be used again: nothing was given out under it.
pub(super) async fn free(transaction: &mut Transaction, key: &[u8; 32], lease: LeaseId) -> Result<(), StoreError> {
    let delete = sqlx::query("DELETE FROM broker_answers WHERE key = $1 AND lease = $2")
        .bind(key.to_vec())
        .bind(lease.to_string());
    execute(transaction, delete).await.map(drop)
}

/// Those whose time is over.
pub(super) async fn erase(transaction: &mut Transaction, now: Timestamp) -> Result<u64, StoreError> {
    let delete = sqlx::query("DELETE FROM broker_answers WHERE until <= $1").bind(now.unix_microseconds());
    execute(transaction, delete).await
}
