// SPDX-License-Identifier: Apache-2.0
//! What a node last said of an instance. Kept in memory only: after a restart of control the nodes say it again.

use cress_api::admin::InstanceState;
use cress_api::node_protocol;

/// The longest `detail` that is kept; a longer one is cut.
const DETAIL_BYTES_MAX: usize = 256;

/// What a node last said of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceReport {
    /// Its state; none if the node used a word that this version does not know.
    pub(crate) state: Option<InstanceState>,
    /// Whether the startup probe succeeded.
    pub(crate) started: bool,
    /// Whether the readiness probe succeeds.
    pub(crate) ready: bool,
    /// How often its command was started again.
    pub(crate) restarts: u32,
    /// Why it is in its state, if there is anything to say.
    pub(crate) detail: Option<Box<str>>,
}

impl InstanceReport {
    /// From the wire; the id and the deletion cost stand beside it.
    #[must_use]
    pub(crate) fn from_wire(report: &node_protocol::InstanceReport) -> Self {
        Self {
            state: state(report.state),
            started: report.started,
            ready: report.ready,
            restarts: report.restarts,
            detail: detail(&report.detail),
        }
    }
}

fn state(wire: i32) -> Option<InstanceState> {
    match node_protocol::InstanceState::try_from(wire).ok()? {
        node_protocol::InstanceState::Unspecified => None,
        node_protocol::InstanceState::Creating => Some(InstanceState::Creating),
        node_protocol::InstanceState::Running => Some(InstanceState::Running),
        node_protocol::InstanceState::Stopping => Some(InstanceState::Stopping),
        node_protocol::InstanceState::Succeeded => Some(InstanceState::Succeeded),
        node_protocol::InstanceState::Failed => Some(InstanceState::Failed),
    }
}

/// Control characters would let a node write into an operator's terminal.
fn detail(text: &str) -> Option<Box<str>> {
    let end = text.floor_char_boundary(DETAIL_BYTES_MAX);
    let kept = text.get(..end).unwrap_or_default();
    let clean: String = kept.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    (!clean.trim().is_empty()).then(|| clean.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_short_and_harmless() {
        let text = |detail: &str| {
            let wire = node_protocol::InstanceReport { detail: detail.to_owned(), state: 99, ..Default::default() };
            let report = InstanceReport::from_wire(&wire);
            assert_eq!(report.state, None);
            report.detail.map(String::from)
        };
        assert_eq!(text(""), None);
        assert_eq!(text(" \n"), None);
        assert_eq!(text("exit code 1\x1b[2J").as_deref(), Some("exit code 1 [2J"));
        assert_eq!(text(&"ä".repeat(300)).map(|kept| kept.len()), Some(DETAIL_BYTES_MAX));
    }
}
