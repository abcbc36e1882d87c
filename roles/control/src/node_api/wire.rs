// SPDX-License-Identifier: Apache-2.0
//! What goes down a node's stream, in the protocol's words.

use cress_api::node_protocol::control_update::Update as WireUpdate;
use cress_api::node_protocol::{
    Assignment as WireAssignment, AssignmentChange, AssignmentSnapshot, ControlUpdate, Heartbeat, KeySet,
};
use cress_domain::{InstanceId, Issuer, Timestamp};

use crate::fleet::Assignment;

/// What is told is cut into messages of about this size, so that no number of instances is too large to be told.
const MESSAGE_BYTES_USUAL: usize = 1 << 20;
/// What an assignment takes beside its definition, at most: ids and names.
const ASSIGNMENT_BYTES: usize = 512;
/// Instance ids that end in one message.
const ENDED_MAX: usize = 4_096;

pub(super) fn message(now: Timestamp, update: WireUpdate) -> ControlUpdate {
    ControlUpdate { control_time: now.unix_microseconds(), update: Some(update) }
}

pub(super) const fn heartbeat() -> WireUpdate {
    WireUpdate::Heartbeat(Heartbeat {})
}

pub(super) fn key_set(issuer: &Issuer, jwks: &[u8]) -> WireUpdate {
    WireUpdate::KeySet(KeySet { issuer: issuer.to_string(), jwks: jwks.to_vec() })
}

/// All that is placed, in as many pieces as it takes: the node collects them until the one after which no more come.
pub(super) fn snapshot(placed: &[(InstanceId, Assignment)]) -> impl Iterator<Item = WireUpdate> + Send {
    let mut rest = Some(placed);
    std::iter::from_fn(move || {
        let (now, later) = rest.and_then(|rest| rest.split_at_checked(fitting(rest)))?;
        let more = !later.is_empty();
        rest = more.then_some(later);
        Some(WireUpdate::Snapshot(AssignmentSnapshot { assignments: now.iter().map(assignment).collect(), more }))
    })
}

/// Endings first, in messages of their own: they are urgent, and free the node's capacity.
pub(super) fn changes<'a>(
    placed: &'a [(InstanceId, Assignment)],
    ended: &'a [InstanceId],
) -> impl Iterator<Item = WireUpdate> + Send + 'a {
    let endings = ended
        .chunks(ENDED_MAX)
        .map(|ended| AssignmentChange { placed: Vec::new(), ended: ended.iter().map(InstanceId::to_string).collect() });
    let mut rest = placed;
    let placements = std::iter::from_fn(move || {
        let (now, later) = rest.split_at_checked(fitting(rest))?;
        rest = later;
        let placed: Vec<_> = now.iter().map(assignment).collect();
        (!placed.is_empty()).then_some(AssignmentChange { placed, ended: Vec::new() })
    });
    endings.chain(placements).map(WireUpdate::Change)
}

/// How many go into one message: at least one, if there is any.
fn fitting(placed: &[(InstanceId, Assignment)]) -> usize {
    let mut bytes = 0_usize;
    let fitting = placed.iter().take_while(|(_, assignment)| {
        bytes = bytes.saturating_add(assignment.group.definition.len()).saturating_add(ASSIGNMENT_BYTES);
        bytes <= MESSAGE_BYTES_USUAL
    });
    fitting.count().max(1).min(placed.len())
}

fn assignment((instance, assignment): &(InstanceId, Assignment)) -> WireAssignment {
    let group = &assignment.group;
    WireAssignment {
        instance_id: instance.to_string(),
        container_group_id: group.id.to_string(),
        container_group_name: group.name.to_string(),
        project_id: group.project_id.to_string(),
        project_name: group.project_name.to_string(),
        organization_id: group.organization_id.to_string(),
        organization_name: group.organization_name.to_string(),
        definition: group.definition.to_string(),
        deletion_cost: assignment.deletion_cost,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cress_domain::{ContainerGroupId, OrganizationId, ProjectId};
    use prost::Message;

    use super::*;
    use crate::fleet::GroupFacts;

    /// So many instances of a group with a definition of about so many bytes.
    fn placed(count: u8, bytes: usize) -> Vec<(InstanceId, Assignment)> {
        let definition = format!(r#"{{"replicas":1,"command":["a","{}"]}}"#, "b".repeat(bytes));
        let group = GroupFacts::new(
            (ContainerGroupId::from_bytes([1; 16]), "group".parse().unwrap()),
            (ProjectId::from_bytes([2; 16]), "project".parse().unwrap()),
            (OrganizationId::from_bytes([3; 16]), "acme".parse().unwrap()),
            serde_json::from_str(&definition).unwrap(),
        );
        let assignment = Assignment { group: Arc::new(group.unwrap()), deletion_cost: 0, report: None };
        (0..count).map(|instance| (InstanceId::from_bytes([instance; 16]), assignment.clone())).collect()
    }

    #[test]
    fn changes_are_cut_and_endings_come_first() {
        let told = |count, bytes, ended: &[InstanceId]| {
            let placed = placed(count, bytes);
            let lengths = changes(&placed, ended).map(|change| match change {
                WireUpdate::Change(change) => (change.placed.len(), change.ended.len()),
                other => panic!("{other:?}"),
            });
            lengths.collect::<Vec<_>>()
        };
        let ended = vec![InstanceId::from_bytes([9; 16]); ENDED_MAX + 1];
        assert_eq!(told(0, 0, &[]), []);
        assert_eq!(told(3, 10, &ended), [(0, ENDED_MAX), (0, 1), (3, 0)]);
        assert_eq!(told(5, 400_000, &[]), [(2, 0), (2, 0), (1, 0)]);
        assert_eq!(told(2, MESSAGE_BYTES_USUAL + 1, &[]), [(1, 0), (1, 0)]);
    }

    #[test]
    fn a_snapshot_comes_in_pieces_that_fit() {
        let told = |count, bytes| {
            let placed = placed(count, bytes);
            let pieces = snapshot(&placed).map(|piece| {
                assert!(ControlUpdate { control_time: i64::MAX, update: Some(piece.clone()) }.encoded_len() < 2 << 20);
                match piece {
                    WireUpdate::Snapshot(piece) => (piece.assignments.len(), piece.more),
                    other => panic!("{other:?}"),
                }
            });
            pieces.collect::<Vec<_>>()
        };
        assert_eq!(told(0, 0), [(0, false)], "that nothing is placed is to be told too");
        assert_eq!(told(3, 10), [(3, false)]);
        assert_eq!(told(5, 400_000), [(2, true), (2, true), (1, false)]);
        assert_eq!(told(250, 64 << 10).iter().map(|(count, _)| count).sum::<usize>(), 250);
    }
}
