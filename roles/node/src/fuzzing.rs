// SPDX-License-Identifier: Apache-2.0
//! For the fuzz targets alone: reads what control sends, as the node does, and drops it.

use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::{ControlUpdate, EnrolResponse};

/// Reads an update of control's.
pub fn update(update: ControlUpdate) {
    match update.update {
        Some(Update::Snapshot(snapshot)) => crate::link::read_snapshot(snapshot),
        Some(Update::Change(change)) => crate::link::read_placed(change.placed),
        Some(Update::KeySet(keys)) => drop(cress_jose::JwkSet::parse(&keys.jwks)),
        _ => {}
    }
}

/// Reads the answer to an enrolment.
pub fn enrolled(answer: EnrolResponse) {
    if let Some(certificate) = answer.certificate {
        crate::membership::read_certificate(certificate);
    }
}
