// SPDX-License-Identifier: Apache-2.0
//! The tables as the database's own catalog describes them, so that a table of tomorrow is copied too. Names come from cress's own
//! migrations, never from its input.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use futures_util::TryStreamExt;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::digest::{TableDigest, Value};
use crate::database::Transaction;
use crate::query::{Statement, all, execute};
use crate::row::Columns;
use crate::{Database, StoreError};

/// Values in one statement at most: SQLite takes 32,766.
const VALUES_MAX: usize = 4_000;
/// What the names of cress's tables begin with.
const OURS: [&str; 5] = ["audit_", "broker_", "control_", "keyring_", "store_"];
/// Made by the migrations of the target itself.
const HISTORY: &str = "store_migrations";

/// A table and its columns, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bytes,
}

/// Every table that is copied, each after those that it refers to.
pub(super) async fn in_order(transaction: &mut Transaction, database: &Database) -> Result<Vec<Table>, StoreError> {
    let mut left = tables(transaction, database).await?;
    left.remove(HISTORY);
    let select = sqlx::query(database.catalog().references);
    let references = all(transaction, select, |row| Ok((row.raw("child")?, row.raw("parent")?))).await?;
    let references: BTreeSet<(String, String)> = references.into_iter().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |name: &String| {
            references.iter().any(|(child, parent)| child == name && parent != name && left.contains_key(parent))
        };
        let ready: Vec<String> = left.keys().filter(|name| !waits(name)).cloned().collect();
        if ready.is_empty() {
            return Err(StoreError::permanent(
                "the tables refer to each other in a circle, so that none can be copied first",
            ));
        }
        ordered.extend(ready.into_iter().filter_map(|name| left.remove_entry(&name)));
    }
    Ok(ordered.into_iter().map(|(name, columns)| Table { name, columns }).collect())
}

/// The name of a table of cress's, if there is one.
pub(super) async fn any_of_ours(
    transaction: &mut Transaction,
    database: &Database,
) -> Result<Option<String>, StoreError> {
    Ok(tables(transaction, database).await?.into_keys().next())
}

async fn tables(
    transaction: &mut Transaction,
    database: &Database,
) -> Result<BTreeMap<String, Vec<(String, Kind)>>, StoreError> {
    let columns = all(transaction, sqlx::query(database.catalog().columns), column).await?;
    let mut tables: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (table, column, kind) in columns.into_iter().flatten() {
        tables.entry(table).or_default().push((column, kind));
    }
    Ok(tables)
}

/// `None` if its table is somebody else's.
fn column(row: &AnyRow) -> Result<Option<(String, String, Kind)>, StoreError> {
    let (table, column): (String, String) = (row.raw("table_name")?, row.raw("column_name")?);
    if !OURS.iter().any(|prefix| table.starts_with(prefix)) {
        return Ok(None);
    }
    let kind = match row.raw::<&str>("column_type")? {
        "TEXT" => Kind::Text,
        "BIGINT" => Kind::Number,
        "BYTEA" => Kind::Bytes,
        other => {
            return Err(StoreError::permanent(format!(
                "the column {column} of {table} has the type {other}, expected TEXT, BIGINT or BYTEA"
            )));
        }
    };
    Ok(Some((table, column, kind)))
}

impl Table {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn delete(&self) -> String {
        format!("DELETE FROM {}", self.name)
    }

    /// Reads every row of one side and writes it to the other; says what was sent.
    pub(super) async fn send(&self, from: &mut Transaction, to: &mut Transaction) -> Result<TableDigest, StoreError> {
        let (mut digest, select, patience) = (TableDigest::default(), self.select(), from.patience());
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(from.connection());
        let rows_max = (VALUES_MAX / self.columns.len().max(1)).max(1);
        let mut batch = Vec::with_capacity(rows_max);
        while let Some(row) = patience.wait(rows.try_next()).await? {
            let row = self.read(&row)?;
            digest.add(&row);
            batch.push(row);
            if batch.len() == rows_max {
                self.write(to, std::mem::take(&mut batch)).await?;
            }
        }
        if !batch.is_empty() {
            self.write(to, batch).await?;
        }
        Ok(digest)
    }

    /// What a side holds.
    pub(super) async fn digest(&self, transaction: &mut Transaction) -> Result<TableDigest, StoreError> {
        let (mut digest, select, patience) = (TableDigest::default(), self.select(), transaction.patience());
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(transaction.connection());
        while let Some(row) = patience.wait(rows.try_next()).await? {
            digest.add(&self.read(&row)?);
        }
        Ok(digest)
    }

    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.column_names(), self.name)
    }

    fn column_names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn read(&self, row: &AnyRow) -> Result<Vec<Value>, StoreError> {
        let value = |(name, kind): &(String, Kind)| {
            Ok(match kind {
                Kind::Text => Value::Text(row.try_get(name.as_str())?),
                Kind::Number => Value::Number(row.try_get(name.as_str())?),
                Kind::Bytes => Value::Bytes(row.try_get(name.as_str())?),
            })
        };
        self.columns.iter().map(value).collect()
    }

    async fn write(&self, to: &mut Transaction, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let sql = self.insert(rows.len());
        let statement = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        let statement = rows.into_iter().flatten().fold(statement, bind);
        execute(to, statement).await.map(drop)
    }

    fn insert(&self, rows: usize) -> String {
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", self.name, self.column_names());
        let width = self.columns.len();
        for row in 0..rows {
            for column in 0..width {
                let before = match (row, column) {
                    (0, 0) => "(",
                    (_, 0) => "), (",
                    _ => ", ",
                };
                // Writing to a String cannot fail.
                write!(sql, "{before}${}", row * width + column + 1).ok();
            }
        }
        sql.push(')');
        sql
    }
}

fn bind(statement: Statement<'_>, value: Value) -> Statement<'_> {
    match value {
        Value::Text(text) => statement.bind(text),
        Value::Number(number) => statement.bind(number),
        Value::Bytes(bytes) => statement.bind(bytes),
    }
}
