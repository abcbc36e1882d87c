// SPDX-License-Identifier: Apache-2.0
//! The node's certificate is renewed ahead of its end, and instances notice nothing.

use std::time::Duration;

use cress_node::InstanceState;

use crate::control::Control;
use crate::node::{SLEEPER, Setup, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_ahead_and_taken_for_the_next_connection() {
    let control = Control::start().await;
    control.state().certificate_life = Duration::from_secs(6);
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let machine_id = node.started.machine_id;
    let id = control.place(&script(SLEEPER, ""));
    node.wait_for(id, InstanceState::Running).await;
    let first_end = control.state().stream_certificate_until;
    let before = std::fs::read_to_string(setup.path("node/membership.json")).unwrap();

    control.state().certificate_life = Duration::from_secs(3_600);
    until("a renewal", || control.state().renewals >= 1).await;
    until("a stream with the new certificate", || control.state().stream_certificate_until > first_end).await;
    assert_ne!(std::fs::read_to_string(setup.path("node/membership.json")).unwrap(), before);
    assert_eq!(control.state().enrolments, 1);
    assert_eq!(node.state(id), Some(InstanceState::Running));
    node.token(id).await;
    let metrics = node.metrics().await;
    assert!(metrics.contains(r#"node_certificate_renewals_total{result="done"} 1"#), "{metrics}");
    node.stop().await;

    // What was renewed is what the next life begins with.
    let node = setup.start().await;
    assert_eq!(node.started.machine_id, machine_id);
    node.wait_for(id, InstanceState::Running).await;
    node.stop().await;
}
