// SPDX-License-Identifier: Apache-2.0
//! Control goes away, comes back, or turns the node away.

use cress_node::InstanceState;

use crate::control::Control;
use crate::node::{SLEEPER, Setup, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn instances_notice_nothing_while_control_is_away() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let (stays, goes) = (control.place(&script(SLEEPER, "")), control.place(&script(SLEEPER, "")));
    node.wait_for(stays, InstanceState::Running).await;
    node.wait_for(goes, InstanceState::Running).await;
    let before = node.token(stays).await;
    control.stop().await;
    until("the loss", || node.started.instances.borrow().len() == 2).await;
    let (imds, until_gone) = (node.imds(stays), std::time::Duration::from_secs(1));
    for _ in 0..20 {
        assert_eq!(imds.token(None).await.unwrap().expose(), &before);
        imds.status().await.unwrap();
        tokio::time::sleep(until_gone / 20).await;
    }
    imds.set_deletion_cost(4).await.unwrap();
    assert!(node.metrics().await.contains("node_control_connected 0"));

    // Meanwhile control forgot what nodes told it, ended one instance and placed another.
    control.state().reports.clear();
    control.state().assignments.remove(&goes);
    let comes = control.place(&script(SLEEPER, ""));
    control.listen().await;
    node.wait_for(comes, InstanceState::Running).await;
    node.wait_for_end(goes).await;
    until("the full report", || control.report(stays).is_some_and(|report| report.deletion_cost == 4)).await;
    assert_eq!(control.report(stays).unwrap().restarts, 0);
    assert_eq!(node.token(stays).await, before);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_waits_for_its_first_token_before_it_starts() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let first = control.place(&script(SLEEPER, ""));
    node.wait_for(first, InstanceState::Running).await;
    // Placed on the node, but unknown to whoever signs.
    let id = cress_domain::InstanceId::generate(&cress_service::SystemRandom);
    let out = setup.path("out");
    let placed = crate::control::assignment(id, &script(&format!("touch {}; {SLEEPER}", out.display()), ""));
    control.tell(cress_api::node_protocol::AssignmentChange { placed: vec![placed.clone()], ended: vec![] });
    until("its place", || node.instance(id).is_some_and(|summary| !summary.imds.is_empty())).await;
    until("the report", || control.report(id).is_some_and(|report| report.detail.contains("first token"))).await;
    assert!(!out.exists() && !node.instance(id).unwrap().token_ready);
    assert!(node.imds(id).token(None).await.is_err());
    control.assign(placed);
    node.wait_for(id, InstanceState::Running).await;
    until("its first instruction", || out.exists()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instances_of_a_banned_node_end() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let id = control.place(&script(SLEEPER, ""));
    node.wait_for(id, InstanceState::Running).await;
    control.ban();
    node.wait_for_end(id).await;
    node.stop().await;
}
