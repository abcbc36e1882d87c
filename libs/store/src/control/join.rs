// SPDX-License-Identifier: Apache-2.0
//! How a node becomes a member with a join token.

use std::collections::BTreeSet;
use std::time::Duration;

use cress_domain::{MachineId, OrganizationId, Timestamp};

use super::join_tokens::select_join_tokens;
use super::nodes::{capped, find, is_banned, select_nodes};
use super::{
    ControlStore, JoinOutcome, JoinRefusal, JoinRequest, JoinTokenRecord, JoinTokenState, JoinTokenUse, NodeRecord,
    NodeState, columns, revision,
};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{execute, execute_or, one};

/// How long after its end a used join token still answers the node that used it: the answer may have got lost at the last
/// moment, and the node has nothing else to ask with.
pub const JOIN_REPEAT_GRACE: Duration = Duration::from_secs(3_600);

impl ControlStore {
    /// Makes a node a member: checks the join token, marks it used by this key, and inserts the node, all or nothing. The same
    /// key may repeat it (the answer got lost) until [`JOIN_REPEAT_GRACE`] after the token's end and gets the same machine id;
    /// another key is refused.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; a refusal is no error.
    pub async fn join_node(&self, request: &JoinRequest, now: Timestamp) -> Result<JoinOutcome, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        match join(&mut transaction, request, now).await? {
            Ok(machine_id) => {
                let node = find(&mut transaction, machine_id).await?;
                transaction.commit().await?;
                Ok(JoinOutcome::Joined(node))
            }
            Err(refusal) => Ok(JoinOutcome::Refused(refusal)),
        }
    }
}

/// The outer error rolls everything back; so does a refusal.
async fn join(
    transaction: &mut Transaction,
    request: &JoinRequest,
    now: Timestamp,
) -> Result<Result<MachineId, JoinRefusal>, StoreError> {
    let select = sqlx::query(select_join_tokens!("WHERE secret_hash = $1")).bind(request.secret_hash.to_string());
    let Some(token) = one(transaction, select, columns::join_token).await? else {
        return Ok(Err(JoinRefusal::Unknown));
    };
    let select = sqlx::query(select_nodes!("WHERE key_fingerprint = $1")).bind(request.key_fingerprint.to_string());
    let member = one(transaction, select, columns::node).await?;
    if let Err(refusal) = check(&token, member.as_ref(), request, now) {
        return Ok(Err(refusal));
    }
    if is_banned(transaction, request.key_fingerprint).await? {
        return Ok(Err(JoinRefusal::Banned));
    }
    let machine_id = match &member {
        Some(node) => update_member(transaction, node, &token, request).await?,
        None => insert_member(transaction, &token, request, now).await?,
    };
    mark_used(transaction, &token, machine_id, request).await?;
    Ok(Ok(machine_id))
}

/// Whether the token lets this key in. Whether the key is banned is told only to who has a good token.
fn check(
    token: &JoinTokenRecord,
    member: Option<&NodeRecord>,
    request: &JoinRequest,
    now: Timestamp,
) -> Result<(), JoinRefusal> {
    let end = match (token.state, token.used_by) {
        (JoinTokenState::Revoked, _) => return Err(JoinRefusal::Revoked),
        (_, None) => token.expires_at,
        (_, Some(JoinTokenUse { machine_id, key_fingerprint })) => {
            let still_it = member.is_some_and(|node| node.machine_id == machine_id);
            if key_fingerprint != request.key_fingerprint || !still_it {
                return Err(JoinRefusal::Used);
            }
            token.expires_at + JOIN_REPEAT_GRACE
        }
    };
    if now < end { Ok(()) } else { Err(JoinRefusal::Expired) }
}

/// What a node may be by a join token.
struct Bounds {
    capacity_max: Option<u32>,
    organizations: Option<BTreeSet<OrganizationId>>,
}

impl Bounds {
    /// Those of a token when it is used. When it is used again, the answer got lost, and what it said has been done: the node may have got
    /// other bounds since then by a younger token, which an older one must not undo.
    fn of(token: &JoinTokenRecord, node: &NodeRecord) -> Self {
        match token.used_by {
            None => Self { capacity_max: token.capacity_max, organizations: token.organizations.clone() },
            Some(_) => Self { capacity_max: node.capacity_max, organizations: node.organizations.clone() },
        }
    }
}

/// Takes a revision only for what is new: who asks for the same again and again must not hold up placement.
async fn update_member(
    transaction: &mut Transaction,
    node: &NodeRecord,
    token: &JoinTokenRecord,
    request: &JoinRequest,
) -> Result<MachineId, StoreError> {
    let bounds = Bounds::of(token, node);
    let capacity = capped(request.capacity, bounds.capacity_max);
    let update = sqlx::query("UPDATE control_nodes SET certificate_not_after = $1 WHERE machine_id = $2")
        .bind(request.certificate_not_after.unix_microseconds())
        .bind(node.machine_id.to_string());
    execute(transaction, update).await?;
    let same_bounds = bounds.organizations == node.organizations;
    let same_rest = (bounds.capacity_max, &request.name) == (node.capacity_max, &node.name);
    if capacity == node.capacity && same_bounds && same_rest {
        return Ok(node.machine_id);
    }
    let revision = if capacity == node.capacity && same_bounds {
        revision::next_beside_placement(transaction).await?
    } else {
        revision::next(transaction).await?
    };
    let update = sqlx::query(
        "UPDATE control_nodes SET name = $1, capacity = $2, capacity_max = $3, organizations = $4, revision = $5 WHERE machine_id = $6",
    )
    .bind(request.name.as_str())
    .bind(i64::from(capacity))
    .bind(bounds.capacity_max.map(i64::from))
    .bind(columns::organizations_text(bounds.organizations.as_ref()))
    .bind(revision.0)
    .bind(node.machine_id.to_string());
    execute(transaction, update).await?;
    Ok(node.machine_id)
}

async fn insert_member(
    transaction: &mut Transaction,
    token: &JoinTokenRecord,
    request: &JoinRequest,
    now: Timestamp,
) -> Result<MachineId, StoreError> {
    let revision = revision::next(transaction).await?;
    let insert = sqlx::query(
        "INSERT INTO control_nodes (machine_id, name, key_fingerprint, capacity, capacity_max, organizations, state, enrolled_at, certificate_not_after, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(request.new_machine_id.to_string())
    .bind(request.name.as_str())
    .bind(request.key_fingerprint.to_string())
    .bind(i64::from(capped(request.capacity, token.capacity_max)))
    .bind(token.capacity_max.map(i64::from))
    .bind(columns::organizations_text(token.organizations.as_ref()))
    .bind(NodeState::Active.as_str())
    .bind(now.unix_microseconds())
    .bind(request.certificate_not_after.unix_microseconds())
    .bind(revision.0);
    execute_or(transaction, insert, |_| StoreError::conflict("node with this id")).await?;
    Ok(request.new_machine_id)
}

async fn mark_used(
    transaction: &mut Transaction,
    token: &JoinTokenRecord,
    machine_id: MachineId,
    request: &JoinRequest,
) -> Result<(), StoreError> {
    let update = sqlx::query("UPDATE control_join_tokens SET machine_id = $1, key_fingerprint = $2 WHERE id = $3")
        .bind(machine_id.to_string())
        .bind(request.key_fingerprint.to_string())
        .bind(token.id.to_string());
    execute(transaction, update).await.map(drop)
}
