// SPDX-License-Identifier: Apache-2.0
//! Writes instances, many at a time.

use std::fmt::Write;
use std::sync::LazyLock;

use cress_domain::Timestamp;
use sqlx::AssertSqlSafe;

use super::{NewInstance, Revision};
use crate::StoreError;
use crate::database::{Constraint, Transaction};
use crate::query::{Statement, all, execute_or};
use crate::row::Columns;

/// Rows in one statement: each statement costs a round trip to the database. No others than these are ever prepared.
const MANY: usize = 250;
const SOME: usize = 25;

const INSERT: &str =
    "INSERT INTO control_instances (id, container_group_id, machine_id, deletion_cost, placed_at, revision) VALUES ";

static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert(MANY));
static INSERT_SOME: LazyLock<String> = LazyLock::new(|| insert(SOME));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));

fn insert(rows: usize) -> String {
    let mut sql = INSERT.to_owned();
    for row in 0..rows {
        let comma = if row == 0 { "" } else { ", " };
        let (id, group, machine) = (5 * row + 1, 5 * row + 2, 5 * row + 3);
        let (placed_at, revision) = (5 * row + 4, 5 * row + 5);
        // Writing to a String cannot fail.
        write!(sql, "{comma}(${id}, ${group}, ${machine}, 0, ${placed_at}, ${revision})").ok();
    }
    sql
}

/// Places instances.
pub(super) async fn place(
    transaction: &mut Transaction,
    instances: &[NewInstance],
    revision: Revision,
    now: Timestamp,
) -> Result<(), StoreError> {
    let many = instances.chunks_exact(MANY);
    let some = many.remainder().chunks_exact(SOME);
    let rest = some.remainder().chunks(1);
    let (many, some) = (many.map(|chunk| (&*INSERT_MANY, chunk)), some.map(|chunk| (&*INSERT_SOME, chunk)));
    for (sql, chunk) in many.chain(some).chain(rest.map(|chunk| (&*INSERT_ONE, chunk))) {
        let statement = sqlx::query(AssertSqlSafe(sql.as_str()));
        let statement = chunk.iter().fold(statement, |statement, instance| bind(statement, instance, revision, now));
        execute_or(transaction, statement, explain).await?;
    }
    refuse_banned_nodes(transaction).await
}

fn bind<'q>(statement: Statement<'q>, instance: &NewInstance, revision: Revision, now: Timestamp) -> Statement<'q> {
    statement
        .bind(instance.id.to_string())
        .bind(instance.container_group_id.to_string())
        .bind(instance.machine_id.to_string())
        .bind(now.unix_microseconds())
        .bind(revision.0)
}

fn explain(constraint: Constraint) -> StoreError {
    match constraint {
        Constraint::Unique => StoreError::conflict("instance with an id of the plan"),
        Constraint::Reference => StoreError::not_found("container group or node that the plan names"),
    }
}

/// A ban has ended every instance of its node: one that is there now came with this plan.
async fn refuse_banned_nodes(transaction: &mut Transaction) -> Result<(), StoreError> {
    let select = sqlx::query(
        "SELECT name FROM control_nodes n WHERE state = 'banned' AND EXISTS (SELECT 1 FROM control_instances i WHERE i.machine_id = n.machine_id)",
    );
    match all(transaction, select, |row| row.raw::<String>("name")).await?.first() {
        Some(name) => Err(StoreError::not_found(format!("node named {name:?} that may work: it is banned"))),
        None => Ok(()),
    }
}
