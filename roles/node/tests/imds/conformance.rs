// SPDX-License-Identifier: Apache-2.0
//! The conformance suite for metadata services, run against ours.

use crate::support::{number, start};
use cress_node::imds::Limits;
use cress_testkit::imds_conformance::{Target, cases, slow_cases};

fn check(target: &Target, cases: &[cress_testkit::imds_conformance::Case]) {
    let failures = target.failures(cases);
    assert!(failures.is_empty(), "{} of {} cases failed:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn every_case_is_answered_as_it_must_be() {
    let server = start(Limits { connections_per_second_max: number(100_000), ..Limits::default() });
    let target = server.target();
    check(&target, &cases(&target));
    assert_eq!(server.backend.restarts.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(server.get("/v1/deletion-cost").json()["deletion_cost"], 0);
}

#[test]
fn slow_callers_are_told_so() {
    let server =
        start(Limits { head_milliseconds_max: number(200), body_milliseconds_max: number(200), ..Limits::default() });
    let target = server.target();
    check(&target, &slow_cases(&target));
}
