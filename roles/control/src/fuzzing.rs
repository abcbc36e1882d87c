// SPDX-License-Identifier: Apache-2.0
//! For the fuzz targets alone: reads what nodes send, as control does, and drops it.

use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{EnrolRequest, NodeReport};

use crate::ca::NodeKey;
use crate::fleet::InstanceReport;

/// Reads a report.
pub fn report(report: NodeReport) {
    if let Some(Report::Instances(reports)) = report.report {
        for report in &reports.instances {
            let _id = report.instance_id.parse::<cress_domain::InstanceId>();
            let read = InstanceReport::from_wire(report);
            assert!(read.detail.is_none_or(|detail| !detail.chars().any(char::is_control)));
        }
    }
}

/// Reads a request to join.
pub fn enrolment(request: EnrolRequest) {
    let _is_secret = cress_api::join_token::is_secret(&request.join_token);
    drop(NodeKey::of_request(&request.certificate_signing_request));
}
