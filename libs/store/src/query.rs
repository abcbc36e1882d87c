// SPDX-License-Identifier: Apache-2.0
//! The few shapes in which the repositories ask.

use futures_util::TryStreamExt;
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::StoreError;
use crate::database::{Constraint, Transaction, broken_constraint};

/// A statement with its arguments.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// Every row as a record, without holding the rows.
pub(crate) async fn all<T>(
    transaction: &mut Transaction,
    statement: Statement<'_>,
    record: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (mut records, patience) = (Vec::new(), transaction.patience());
    let mut rows = statement.fetch(transaction.connection());
    while let Some(row) = patience.wait(rows.try_next()).await? {
        records.push(record(&row)?);
    }
    Ok(records)
}

/// The only row as a record, if there is one.
pub(crate) async fn one<T>(
    transaction: &mut Transaction,
    statement: Statement<'_>,
    record: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let patience = transaction.patience();
    patience.wait(statement.fetch_optional(transaction.connection())).await?.as_ref().map(record).transpose()
}

/// The row that is always there, as a record.
pub(crate) async fn the_only<T>(
    transaction: &mut Transaction,
    statement: Statement<'_>,
    record: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let found = one(transaction, statement, record).await?;
    found
        .ok_or_else(|| StoreError::permanent("a row that cress made with its tables is gone; restore it from a backup"))
}

/// Writes, and says how many rows it changed.
pub(crate) async fn execute(transaction: &mut Transaction, statement: Statement<'_>) -> Result<u64, StoreError> {
    let patience = transaction.patience();
    Ok(patience.wait(statement.execute(transaction.connection())).await?.rows_affected())
}

/// Writes; `explain` says what a broken constraint means here. The transaction is of no use after that.
pub(crate) async fn execute_or(
    transaction: &mut Transaction,
    statement: Statement<'_>,
    explain: impl FnOnce(Constraint) -> StoreError,
) -> Result<u64, StoreError> {
    let patience = transaction.patience();
    match patience.wait(statement.execute(transaction.connection())).await {
        Ok(result) => Ok(result.rows_affected()),
        Err(error) => Err(broken_constraint(&error).map_or_else(|| error.into(), explain)),
    }
}
