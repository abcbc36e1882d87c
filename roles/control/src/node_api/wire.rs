// SPDX-License-Identifier: Apache-2.0
//! What goes down a node's stream, in the protocol's words.

use cress_api::node_protocol::control_update::Update as WireUpdate;
use cress_api::node_protocol::{
    Assignment as WireAssignment, AssignmentChange, AssignmentSnapshot, ControlUpdate, Heartbeat, KeySet,
    MESSAGE_BYTES_MAX,
};
use cress_domain::{InstanceId, Issuer, Timestamp};
use prost::Message;

use crate::fleet::Assignment;

/// Changes are cut into messages of about this size: a change needs not arrive as a whole.
const CHANGE_BYTES_USUAL: usize = 1 << 20;
/// Instance ids that end in one message.
const ENDED_MAX: usize = 4_096;

/// A snapshot that no message can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the definitions of this node's {instances} instances take {bytes} bytes together, more than the {MESSAGE_BYTES_MAX} that a message \
     may have; give their container groups shorter definitions, or this node a smaller capacity"
)]
pub(super) struct SnapshotTooLarge {
    instances: usize,
    bytes: usize,
}

pub(super) fn message(now: Timestamp, update: WireUpdate) -> ControlUpdate {
    ControlUpdate { control_time: now.unix_microseconds(), update: Some(update) }
}

pub(super) const fn heartbeat() -> WireUpdate {
    WireUpdate::Heartbeat(Heartbeat {})
}

pub(super) fn key_set(issuer: &Issuer, jwks: &[u8]) -> WireUpdate {
    WireUpdate::KeySet(KeySet { issuer: issuer.to_string(), jwks: jwks.to_vec() })
}

pub(super) fn snapshot(placed: &[(InstanceId, Assignment)]) -> Result<WireUpdate, SnapshotTooLarge> {
    // Summed up before anything is copied.
    let bytes = placed.iter().map(|(_, assignment)| assignment.group.definition.len()).sum();
    let too_large = |bytes| SnapshotTooLarge { instances: placed.len(), bytes };
    if bytes > MESSAGE_BYTES_MAX {
        return Err(too_large(bytes));
    }
    let snapshot = AssignmentSnapshot { assignments: placed.iter().map(assignment).collect() };
    let bytes = snapshot.encoded_len();
    // A little is left for what stands around it.
    if bytes > MESSAGE_BYTES_MAX - 64 { Err(too_large(bytes)) } else { Ok(WireUpdate::Snapshot(snapshot)) }
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
        bytes = bytes.saturating_add(assignment.group.definition.len());
        bytes <= CHANGE_BYTES_USUAL
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
        assert_eq!(told(2, CHANGE_BYTES_USUAL + 1, &[]), [(1, 0), (1, 0)]);
    }

    #[test]
    fn a_snapshot_that_no_message_holds_is_refused() {
        assert!(snapshot(&placed(15, 1 << 20)).is_ok());
        for (count, bytes) in [(16, 1 << 20), (250, 1 << 20)] {
            let refused = snapshot(&placed(count, bytes)).unwrap_err();
            assert!(refused.to_string().contains("smaller capacity"), "{refused}");
        }
    }
}
