// SPDX-License-Identifier: Apache-2.0
//! Instances: where they are placed, until they end.

use std::sync::LazyLock;

use cress_domain::{ContainerGroupId, InstanceId, MachineId, Timestamp};
use sqlx::AssertSqlSafe;

use super::{ControlStore, PlacementPlan, Revision, placement, revision};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{Statement, execute};

impl ControlStore {
    /// Carries out a plan, if no group, node or placement has changed since the revision that it was made from. An empty plan writes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if one has changed: plan again. [`StoreError::NotFound`] if the plan names a group, node
    /// or instance that does not exist, or a banned node.
    pub async fn apply_placement(
        &self,
        plan: &PlacementPlan,
        expected: Revision,
        now: Timestamp,
    ) -> Result<Revision, StoreError> {
        if plan.place.is_empty() && plan.end.is_empty() {
            return Ok(expected);
        }
        let mut transaction = self.database.write().await?;
        let revision = revision::next_after(&mut transaction, expected).await?;
        end_many(&mut transaction, &plan.end, revision, now).await?;
        placement::place(&mut transaction, &plan.place, revision, now).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Changes the deletion costs of instances that are placed on this node, all in one transaction. Others are left alone: they may
    /// just have ended. Writes nothing if every cost is known. No plan becomes wrong by it, since costs only say who goes first. Each
    /// instance is to be named once.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_deletion_costs(
        &self,
        machine_id: MachineId,
        costs: &[(InstanceId, i32)],
    ) -> Result<Revision, StoreError> {
        let mut transaction = self.database.write().await?;
        let revision = revision::next_beside_placement(&mut transaction).await?;
        let mut changed = 0;
        for chunk in costs.chunks(ROWS) {
            changed += change_costs(&mut transaction, machine_id, chunk, revision).await?;
        }
        if changed == 0 {
            return Ok(revision.previous());
        }
        transaction.commit().await?;
        Ok(revision)
    }
}

/// Rows that one statement changes: each statement costs a round trip to the database, while all other writers wait.
const ROWS: usize = 250;

/// The columns of a list of values have these names in either engine.
static CHANGE_COSTS: LazyLock<String> = LazyLock::new(|| {
    let pairs = (0..ROWS).map(|row| format!("(CAST(${} AS TEXT), CAST(${} AS BIGINT))", 2 * row + 3, 2 * row + 4));
    format!(
        "UPDATE control_instances SET deletion_cost = due.column2, revision = $1 FROM (VALUES {}) AS due WHERE control_instances.id = due.column1 AND control_instances.machine_id = $2 AND control_instances.deletion_cost <> due.column2",
        pairs.collect::<Vec<_>>().join(", ")
    )
});

/// Says how many were others before.
async fn change_costs(
    transaction: &mut Transaction,
    machine_id: MachineId,
    costs: &[(InstanceId, i32)],
    revision: Revision,
) -> Result<u64, StoreError> {
    // As below: one statement to prepare.
    let costs = costs.iter().chain(costs.last().into_iter().cycle()).take(ROWS);
    let update = sqlx::query(AssertSqlSafe(CHANGE_COSTS.as_str())).bind(revision.0).bind(machine_id.to_string());
    let bind = |statement: Statement<'static>, (id, cost): &(InstanceId, i32)| {
        statement.bind(id.to_string()).bind(i64::from(*cost))
    };
    execute(transaction, costs.fold(update, bind)).await
}

static BURY_MANY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO control_ended_instances (id, machine_id, ended_at, revision) SELECT id, machine_id, CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM control_instances WHERE id IN ({})",
        places(3)
    )
});
static DELETE_MANY: LazyLock<String> =
    LazyLock::new(|| format!("DELETE FROM control_instances WHERE id IN ({})", places(1)));

fn places(first: usize) -> String {
    (first..first + ROWS).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// Ends these instances and leaves a tombstone of each.
async fn end_many(
    transaction: &mut Transaction,
    ids: &[InstanceId],
    revision: Revision,
    now: Timestamp,
) -> Result<(), StoreError> {
    for chunk in ids.chunks(ROWS) {
        // The places that are left over take one id again, so that there is one statement to prepare.
        let ids = || chunk.iter().chain(chunk.last().into_iter().cycle()).take(ROWS).map(InstanceId::to_string);
        let bury = sqlx::query(AssertSqlSafe(BURY_MANY.as_str())).bind(now.unix_microseconds()).bind(revision.0);
        execute(transaction, ids().fold(bury, |statement, id| statement.bind(id))).await?;
        let delete = sqlx::query(AssertSqlSafe(DELETE_MANY.as_str()));
        let deleted = execute(transaction, ids().fold(delete, |statement, id| statement.bind(id))).await?;
        if deleted != chunk.len() as u64 {
            return Err(StoreError::not_found("instance that the plan ends"));
        }
    }
    Ok(())
}

/// Which instances end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    ContainerGroup(ContainerGroupId),
    Machine(MachineId),
}

/// The two statements that end instances: tombstones first, since they are made from the rows.
macro_rules! end_by {
    ($column:literal) => {
        (
            concat!(
                "INSERT INTO control_ended_instances (id, machine_id, ended_at, revision) ",
                "SELECT id, machine_id, CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM control_instances WHERE ",
                $column,
                " = $3"
            ),
            concat!("DELETE FROM control_instances WHERE ", $column, " = $1"),
        )
    };
}

/// Ends instances and leaves a tombstone of each; says how many.
pub(super) async fn end_instances(
    transaction: &mut Transaction,
    whose: Whose,
    revision: Revision,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let ((bury, delete), id) = match whose {
        Whose::ContainerGroup(id) => (end_by!("container_group_id"), id.to_string()),
        Whose::Machine(id) => (end_by!("machine_id"), id.to_string()),
    };
    let bury = sqlx::query(bury).bind(now.unix_microseconds()).bind(revision.0).bind(id.clone());
    execute(transaction, bury).await?;
    execute(transaction, sqlx::query(delete).bind(id)).await
}
