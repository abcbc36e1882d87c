// SPDX-License-Identifier: Apache-2.0
//! A snapshot in pieces: nothing of it counts before its last piece has come, since whatever a snapshot does not list ends.

use cress_api::node_protocol::{self, AssignmentSnapshot};
use cress_domain::InstanceId;

use crate::instances::Assignment;

/// Assignments in one snapshot: as many instances as control lets any node have.
const ASSIGNMENTS_MAX: usize = 10_000;

/// Assignments that can be carried out, and ids of those that cannot, each with the reason.
pub(super) type Parsed = (Vec<Assignment>, Vec<(InstanceId, String)>);

/// The pieces that have come.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    collected: Parsed,
    count: usize,
    is_under_way: bool,
}

/// Control broke the protocol's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("expected a snapshot of at most {ASSIGNMENTS_MAX} assignments from control, got more")]
    TooMany,
    #[error("expected the rest of a snapshot from control, got a change")]
    Interrupted,
}

impl Pieces {
    /// Takes a piece; returns the whole if it was the last.
    pub(super) fn add(&mut self, piece: AssignmentSnapshot) -> Result<Option<Parsed>, Malformed> {
        self.count = self.count.saturating_add(piece.assignments.len());
        if self.count > ASSIGNMENTS_MAX {
            return Err(Malformed::TooMany);
        }
        let (placed, refused) = parse(piece.assignments);
        self.collected.0.extend(placed);
        self.collected.1.extend(refused);
        self.is_under_way = piece.more;
        Ok((!piece.more).then(|| std::mem::take(self).collected))
    }

    /// A change comes between snapshots, never within one.
    pub(super) const fn check_change(&self) -> Result<(), Malformed> {
        if self.is_under_way { Err(Malformed::Interrupted) } else { Ok(()) }
    }
}

/// An item that cannot be read harms no other.
pub(super) fn parse(assignments: Vec<node_protocol::Assignment>) -> Parsed {
    let (mut placed, mut refused) = (Vec::new(), Vec::new());
    for assignment in assignments {
        let id = assignment.instance_id.parse::<InstanceId>();
        match (Assignment::try_from(assignment), id) {
            (Ok(assignment), _) => placed.push(assignment),
            (Err(error), Ok(id)) => {
                tracing::error!(instance_id = %id, %error, "control placed an instance that cannot be run");
                refused.push((id, error.to_string()));
            }
            (Err(error), Err(_)) => tracing::error!(%error, "control placed something that is no instance"),
        }
    }
    (placed, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Assignments that cannot be run, which are as good for counting.
    fn piece(ids: std::ops::Range<u16>, more: bool) -> AssignmentSnapshot {
        let assignment = |number: u16| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            node_protocol::Assignment { instance_id: InstanceId::from_bytes(bytes).to_string(), ..Default::default() }
        };
        AssignmentSnapshot { assignments: ids.map(assignment).collect(), more }
    }

    #[test]
    fn pieces_count_as_one_when_the_last_has_come() {
        let mut pieces = Pieces::default();
        assert!(pieces.check_change().is_ok());
        assert!(pieces.add(piece(0..3, true)).unwrap().is_none());
        assert_eq!(pieces.check_change(), Err(Malformed::Interrupted));
        assert!(pieces.add(piece(3..5, true)).unwrap().is_none());
        let (placed, refused) = pieces.add(piece(5..6, false)).unwrap().unwrap();
        assert_eq!((placed.len(), refused.len()), (0, 6));
        assert!(pieces.check_change().is_ok());
        let (_, refused) = pieces.add(piece(7..8, false)).unwrap().unwrap();
        assert_eq!(refused.len(), 1, "nothing is left of the snapshot before");
    }

    #[test]
    fn no_snapshot_grows_without_end() {
        let mut pieces = Pieces::default();
        for start in 0..10 {
            assert!(pieces.add(piece(1_000 * start..1_000 * (start + 1), true)).unwrap().is_none());
        }
        assert_eq!(pieces.add(piece(0..1, false)).unwrap_err(), Malformed::TooMany);
    }
}
