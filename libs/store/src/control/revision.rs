// SPDX-License-Identifier: Apache-2.0
//! How a write takes the next revision.

use super::Revision;
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{execute, one, the_only};
use crate::row::Columns;

/// Takes the next revision, for a write that placement depends on. Always the first statement of a transaction that needs one,
/// unless that is [`lock`]: its row is the lock that puts such transactions in one order, so that nobody sees a later revision
/// before an earlier one, and what is read after it stays true.
/// A transaction that finds nothing to change is dropped, and the revision with it.
pub(super) async fn next(transaction: &mut Transaction) -> Result<Revision, StoreError> {
    let update = sqlx::query(
        "UPDATE control_state SET revision = revision + 1, placement_revision = revision + 1 RETURNING revision",
    );
    the_only(transaction, update, |row| row.raw("revision").map(Revision)).await
}

/// The same, for a write that makes no plan wrong: nodes make such writes as often as they like, and must not hold up placement.
pub(super) async fn next_beside_placement(transaction: &mut Transaction) -> Result<Revision, StoreError> {
    let update = sqlx::query("UPDATE control_state SET revision = revision + 1 RETURNING revision");
    the_only(transaction, update, |row| row.raw("revision").map(Revision)).await
}

/// Takes the next revision, if nothing that placement depends on was written since `expected`. A revision that this store has not
/// given yet is another store's.
pub(super) async fn next_after(transaction: &mut Transaction, expected: Revision) -> Result<Revision, StoreError> {
    let update = sqlx::query(
        "UPDATE control_state SET revision = revision + 1, placement_revision = revision + 1 WHERE placement_revision <= $1 AND revision >= $1 RETURNING revision",
    )
    .bind(expected.0);
    let revision = one(transaction, update, |row| row.raw("revision").map(Revision)).await?;
    revision.ok_or(StoreError::Outdated { what: "fleet" })
}

/// Waits for every transaction that takes a revision, without taking one.
pub(super) async fn lock(transaction: &mut Transaction) -> Result<(), StoreError> {
    execute(transaction, sqlx::query("UPDATE control_state SET revision = revision")).await.map(drop)
}

/// The latest revision, and the one up to which tombstones are incomplete.
pub(super) async fn current(transaction: &mut Transaction) -> Result<(Revision, Revision), StoreError> {
    let select = sqlx::query("SELECT revision, pruned_revision FROM control_state");
    the_only(transaction, select, |row| Ok((Revision(row.raw("revision")?), Revision(row.raw("pruned_revision")?))))
        .await
}
